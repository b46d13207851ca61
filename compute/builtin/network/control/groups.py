"""Security groups and their rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from compute.builtin.network.control import addressing, projects
from compute.builtin.network.control.changes import Work
from compute.builtin.network.db import rows
from compute.builtin.network.db import tables as t
from compute.builtin.network.db.kinds import GROUP, RULE, Clause
from compute.builtin.network.db.rows import Row
from compute.exception import Conflict, Invalid

PROTOCOLS = {'ah': 51, 'dccp': 33, 'egp': 8, 'esp': 50, 'gre': 47, 'icmp': 1, 'icmpv6': 58, 'igmp': 2, 'ipip': 4,
             'ipv6-encap': 41, 'ipv6-frag': 44, 'ipv6-icmp': 58, 'ipv6-nonxt': 59, 'ipv6-opts': 60, 'ipv6-route': 43,
             'ospf': 89, 'pgm': 113, 'rsvp': 46, 'sctp': 132, 'tcp': 6, 'udp': 17, 'udplite': 136, 'vrrp': 112}
_WITH_PORTS = frozenset({6, 17, 33, 132, 136})
_ONLY_V6 = frozenset({41, 43, 44, 58, 59, 60}) - {41}
_ANY = (None, '', 'any', '-1', '0', 'null')
_NAMES = {'icmpv6': 'ipv6-icmp'}


def create(work: Work, attributes: Mapping[str, Any]) -> Row:
    """Make a group with the two rules that let everything out. :raises Conflict: quota, or the name ``default``."""
    project_id = attributes['project_id']
    if attributes.get('name') == 'default':
        raise Conflict('Default security group already exists.', details={'type': 'SecurityGroupDefaultAlreadyExists'})
    projects.default_group(work, project_id)
    projects.charge(work, project_id, 'security_group')
    group = rows.insert(work.connection, GROUP, GROUP.values(attributes))
    for ethertype in ('IPv4', 'IPv6'):
        rows.insert(work.connection, RULE, {'project_id': project_id, 'group_id': group['id'], 'direction': 'egress',
                                            'ethertype': ethertype})
    return group


def update(work: Work, group_id: str, attributes: Mapping[str, Any]) -> Row:
    """Change a group. :raises Conflict: to rename the default group, or to take its name."""
    old = rows.get(work.connection, GROUP, group_id, lock=True)
    name = attributes.get('name', old['name'])
    if name != old['name'] and _is_default(work, old):
        raise Conflict('Updating default security group not allowed.',
                       details={'type': 'SecurityGroupCannotUpdateDefault'})
    if name == 'default' and old['name'] != 'default':
        raise Conflict('Default security group already exists.', details={'type': 'SecurityGroupDefaultAlreadyExists'})
    return rows.change(work.connection, GROUP, group_id, GROUP.values(attributes))


def delete(work: Work, group_id: str, *, may_default: bool) -> None:
    """Delete a group and the rules that name it.

    :param may_default: whether the caller may delete a default group, which comes back on its next use.
    :raises Conflict: ports use it, or it is the default group.
    """
    group = rows.get(work.connection, GROUP, group_id)
    projects.lock(work, group['project_id'])
    default = _is_default(work, group)
    if default and not may_default:
        raise Conflict('Insufficient rights for removing default security group.',
                       details={'type': 'SecurityGroupCannotRemoveDefault'})
    table = t.security_group_rules
    for rule in rows.every(work.connection, table, table.c.remote_group_id == group_id):
        work.changes.groups.add(rule['group_id'])
    if default:
        projects.change(work, group['project_id'], default_group_id=None)
    try:
        rows.delete(work.connection, GROUP, group_id)
    except IntegrityError:
        raise Conflict(f'Security Group {group_id} in use.', details={'type': 'SecurityGroupInUse'}) from None


def _is_default(work: Work, group: Row) -> bool:
    query = sa.select(t.projects.c.id).where(t.projects.c.default_group_id == group['id'])
    return work.connection.execute(query).first() is not None


def create_rule(work: Work, attributes: Mapping[str, Any], scope: Clause) -> Row:
    """Add a rule. ``scope`` limits which groups may be its remote group.

    :raises Invalid: a combination that no packet can meet, or that is not understood.
    :raises Conflict: quota, or the group has the same rule already.
    """
    projects.charge(work, attributes['project_id'], 'security_group_rule')
    group = rows.get(work.connection, GROUP, attributes['security_group_id'], lock=True)
    values = _rule_values(attributes)
    if values['remote_group_id'] is not None:
        rows.get(work.connection, GROUP, values['remote_group_id'], scope=scope)
    _check_new(work, values)
    rule = rows.insert(work.connection, RULE, values)
    rows.change(work.connection, GROUP, group['id'], {})
    work.changes.groups.add(group['id'])
    return rule


def delete_rule(work: Work, rule_id: str) -> None:
    """Take a rule away."""
    rule = rows.get(work.connection, RULE, rule_id)
    rows.delete(work.connection, RULE, rule_id)
    rows.change(work.connection, GROUP, rule['group_id'], {})
    work.changes.groups.add(rule['group_id'])


def _rule_values(attributes: Mapping[str, Any]) -> dict[str, Any]:
    values = {'protocol': None, 'port_range_min': None, 'port_range_max': None, 'remote_ip_prefix': None,
              'remote_group_id': None, 'ethertype': 'IPv4', **RULE.values(attributes)}
    prefix = values['remote_ip_prefix'] = values['remote_ip_prefix'] or None
    values['ethertype'] = {'ipv4': 'IPv4', 'ipv6': 'IPv6'}[str(values['ethertype'] or 'IPv4').lower()]
    values['protocol'] = _protocol(values['protocol'], values['ethertype'])
    if prefix is not None and values['remote_group_id'] is not None:
        raise Invalid('Only remote_ip_prefix or remote_group_id may be provided.',
                      details={'type': 'SecurityGroupMultipleRemoteEntites'})
    if prefix is not None:
        values['remote_ip_prefix'] = _prefix(prefix, values['ethertype'])
    _check_ports(values)
    return values


def _protocol(protocol: Any, ethertype: str) -> str | None:
    text = None if protocol is None else str(protocol).lower()
    if text in _ANY:
        return None
    assert text is not None
    value = PROTOCOLS.get(text, int(text) if text.isascii() and text.isdecimal() else -1)
    if not 0 <= value <= 255:
        raise Invalid(f'Security group rule protocol {text} not supported. Values are {", ".join(sorted(PROTOCOLS))} '
                      'and integer representations [0 to 255].', details={'type': 'SecurityGroupRuleInvalidProtocol'})
    if ethertype == 'IPv4' and value in _ONLY_V6:
        raise Invalid(f'Invalid ethertype {ethertype} for protocol {text}.',
                      details={'type': 'SecurityGroupEthertypeConflictWithProtocol'})
    if ethertype == 'IPv6' and text == 'icmp':
        return 'ipv6-icmp'
    return _NAMES.get(text, text)


def _prefix(text: str, ethertype: str) -> str:
    try:
        net = addressing.network_of(text)
    except Invalid:
        raise Invalid(f'Invalid CIDR {text} given as IP prefix.', details={'type': 'InvalidCIDR'}) from None
    if f'IPv{net.version}' != ethertype:
        raise Invalid(f'Conflicting value ethertype {ethertype} for CIDR {net}.',
                      details={'type': 'SecurityGroupRuleParameterConflict'})
    return str(net)


def _check_ports(values: Mapping[str, Any]) -> None:
    low, high, protocol = values['port_range_min'], values['port_range_max'], values['protocol']
    if low is None and high is None:
        return
    value = -1 if protocol is None else PROTOCOLS.get(protocol, int(protocol) if protocol.isdecimal() else -1)
    if value in (1, 58):
        _check_icmp(low, high)
    elif value in _WITH_PORTS:
        if low is None or high is None or low > high or low < 1:
            raise Invalid(f'For {protocol} port_range_min ({low}) and port_range_max ({high}) must be 1 to 65535 and '
                          'in order.', details={'type': 'SecurityGroupInvalidPortRange'})
    elif value == -1:
        raise Invalid('Must also specify protocol if port range is given.',
                      details={'type': 'SecurityGroupProtocolRequiredWithPorts'})
    else:
        raise Invalid(f'port_range_min and port_range_max have no meaning for protocol {protocol}.',
                      details={'type': 'SecurityGroupInvalidProtocolForPort'})


def _check_icmp(kind: int | None, code: int | None) -> None:
    if kind is None:
        raise Invalid(f'ICMP code (port-range-max) {code} is provided but ICMP type (port-range-min) is missing.',
                      details={'type': 'SecurityGroupMissingIcmpType'})
    for name, value in (('ICMP type (port_range_min)', kind), ('ICMP code (port_range_max)', code)):
        if value is not None and not 0 <= value <= 255:
            raise Invalid(f'{name} {value} is not in 0 to 255.', details={'type': 'SecurityGroupInvalidIcmpValue'})


def _check_new(work: Work, values: Mapping[str, Any]) -> None:
    names = ('group_id', 'direction', 'ethertype', 'protocol', 'port_range_min', 'port_range_max', 'remote_ip_prefix',
             'remote_group_id')
    columns = t.security_group_rules.c
    same = [columns[name].is_(None) if values[name] is None else columns[name] == values[name] for name in names]
    if (rule_id := work.connection.execute(sa.select(columns.id).where(*same)).scalar()) is not None:
        raise Conflict(f'Security group rule already exists. Rule id is {rule_id}.',
                       details={'type': 'SecurityGroupRuleExists'})
