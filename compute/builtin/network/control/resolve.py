"""From security groups to the rules that a host enforces. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from compute.builtin.network.control.canonical import normalized
from compute.objects.wiring import Rule

_AGENT_NAMES = {'ip': 'ipip'}
"""Names of protocols that agents of the version before do not know, by one that they know."""
Members = Mapping[str, Iterable[str]]
"""Addresses (CIDRs) of the members of each group."""


def resolve(rules: Iterable[Mapping[str, Any]], members: Members) -> tuple[Rule, ...]:
    """Return the rules with remote groups spelled out, in a fixed order and without repetition."""
    found = {_rule(rule, members) for rule in rules}
    return tuple(sorted(found, key=lambda rule: (
        rule.direction, rule.ethertype, rule.protocol or '', rule.port_min or -1, rule.port_max or -1, rule.remote)))


def _rule(rule: Mapping[str, Any], members: Members) -> Rule:
    group, prefix = rule['remote_group_id'], rule['remote_ip_prefix']
    remote: tuple[str, ...] = () if prefix is None else (str(normalized(prefix)),)
    if group is not None:
        version6 = rule['ethertype'] == 'IPv6'
        remote = tuple(sorted(cidr for cidr in set(members.get(group, ())) if (':' in cidr) == version6))
    return Rule(direction=rule['direction'], ethertype=rule['ethertype'],
                protocol=_AGENT_NAMES.get(rule['protocol'], rule['protocol']),
                port_min=rule['port_range_min'], port_max=rule['port_range_max'], remote=remote,
                remote_group=group is not None)


def cidr(address: str) -> str:
    """Return an address as the CIDR of itself; a CIDR stays."""
    return address if '/' in address else f'{address}/128' if ':' in address else f'{address}/32'
