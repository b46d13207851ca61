"""Rules of security groups: validation, and uniqueness of equivalent rules in a group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from compute.builtin.network.control import addressing, canonical, projects
from compute.builtin.network.control.changes import Work
from compute.builtin.network.db import rows
from compute.builtin.network.db import tables as t
from compute.builtin.network.db.kinds import GROUP, RULE, Clause
from compute.builtin.network.db.rows import Row
from compute.exception import Conflict, Invalid


def create(work: Work, attributes: Mapping[str, Any], scope: Clause) -> Row:
    """Add a rule. ``scope`` limits which groups may be its remote group.

    :raises Invalid: a combination that no packet can meet, or that is not understood.
    :raises Conflict: quota, or the group has the same rule already.
    """
    projects.charge(work, attributes['project_id'], 'security_group_rule')
    group = rows.get(work.connection, GROUP, attributes['security_group_id'], lock=True)
    values = _rule_values(attributes)
    if values['remote_group_id'] is not None:
        rows.get(work.connection, GROUP, values['remote_group_id'], scope=scope)
    rule = _insert(work, values)
    rows.change(work.connection, GROUP, group['id'], {})
    work.changes.groups.add(group['id'])
    return rule


def delete(work: Work, rule_id: str) -> None:
    """Delete a rule."""
    rule = rows.get(work.connection, RULE, rule_id)
    rows.delete(work.connection, RULE, rule_id)
    rows.change(work.connection, GROUP, rule['group_id'], {})
    work.changes.groups.add(rule['group_id'])


def _rule_values(attributes: Mapping[str, Any]) -> dict[str, Any]:
    values = {'protocol': None, 'port_range_min': None, 'port_range_max': None, 'remote_ip_prefix': None,
              'remote_group_id': None, 'ethertype': 'IPv4', **RULE.values(attributes)}
    prefix = values['remote_ip_prefix'] = values['remote_ip_prefix'] or None
    values['ethertype'] = {'ipv4': 'IPv4', 'ipv6': 'IPv6'}[str(values['ethertype'] or 'IPv4').lower()]
    values['protocol'] = canonical.protocol(values['protocol'], values['ethertype'])
    if prefix is not None and values['remote_group_id'] is not None:
        raise Invalid('Only remote_ip_prefix or remote_group_id may be provided.',
                      details={'type': 'SecurityGroupMultipleRemoteEntites'})
    if prefix is not None:
        _check_prefix(prefix, values['ethertype'])
    _check_ports(values)
    return values


def _check_prefix(text: str, ethertype: str) -> None:
    try:
        net = addressing.network_of(text)
    except Invalid:
        raise Invalid(f'Invalid CIDR {text} given as IP prefix.', details={'type': 'InvalidCIDR'}) from None
    if f'IPv{net.version}' != ethertype:
        raise Invalid(f'Conflicting value ethertype {ethertype} for CIDR {net}.',
                      details={'type': 'SecurityGroupRuleParameterConflict'})


def _check_ports(values: Mapping[str, Any]) -> None:
    low, high, protocol = values['port_range_min'], values['port_range_max'], values['protocol']
    if low is None and high is None:
        return
    number = canonical.number(protocol)
    if number is None:
        raise Invalid('Must also specify protocol if port range is given.',
                      details={'type': 'SecurityGroupProtocolRequiredWithPorts'})
    if number in (canonical.ICMP, canonical.ICMPV6):
        _check_icmp(low, high)
    elif number not in canonical.WITH_PORTS:
        raise Invalid(f'port_range_min and port_range_max have no meaning for protocol {protocol}.',
                      details={'type': 'SecurityGroupInvalidProtocolForPort'})
    elif 0 in (low, high):
        raise invalid_port(0)
    elif low is None or high is None or low > high:
        raise Invalid(f'For TCP/UDP protocols, port_range_min ({low}) must be <= port_range_max ({high}), and both '
                      'are needed.', details={'type': 'SecurityGroupInvalidPortRange'})


def invalid_port(value: Any) -> Invalid:
    """Return the error for something that is no port, ICMP type or code."""
    return Invalid(f'Invalid value for port {value}', details={'type': 'SecurityGroupInvalidPortValue'})


def _check_icmp(kind: int | None, code: int | None) -> None:
    if kind is None:
        raise Invalid(f'ICMP code (port-range-max) {code} is provided but ICMP type (port-range-min) is missing.',
                      details={'type': 'SecurityGroupMissingIcmpType'})
    for name, value in (('ICMP type (port_range_min)', kind), ('ICMP code (port_range_max)', code)):
        if value is not None and not 0 <= value <= 255:
            raise Invalid(f'{name} {value} is not in 0 to 255.', details={'type': 'SecurityGroupInvalidIcmpValue'})


def _insert(work: Work, values: Mapping[str, Any]) -> Row:
    """Insert a rule unless the group, whose row is locked, has an equal one."""
    columns, key = t.security_group_rules.c, canonical.rule_key(values)
    unkeyed = rows.every(work.connection, t.security_group_rules, columns.group_id == values['group_id'],
                         columns.rule_key.is_(None))
    if same := [rule['id'] for rule in unkeyed if canonical.rule_key(rule) == key]:
        raise _exists(same[0])
    try:
        with rows.tried(work.connection):
            return projects.insert_rule(work, values)
    except IntegrityError:
        # A locking read: an equal rule may be newer than what this transaction sees.
        query = sa.select(columns.id).where(columns.group_id == values['group_id'], columns.rule_key == key)
        if (rule_id := work.connection.execute(query.with_for_update()).scalar()) is not None:
            raise _exists(rule_id) from None
        if values['remote_group_id'] is None:
            raise
        raise rows.missing(GROUP, values['remote_group_id']) from None


def _exists(rule_id: str) -> Conflict:
    return Conflict(f'Security group rule already exists. Rule id is {rule_id}.',
                    details={'type': 'SecurityGroupRuleExists'})
