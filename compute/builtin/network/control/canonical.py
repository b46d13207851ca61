"""The canonical form of a security group rule. Pure.

A rule is stored and shown as it was typed. Its key is equal to that of each other rule that means the same, and unique
within a group.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compute.builtin.network.control import addressing
from compute.exception import Invalid

PROTOCOLS = {'ah': 51, 'dccp': 33, 'egp': 8, 'esp': 50, 'gre': 47, 'icmp': 1, 'icmpv6': 58, 'igmp': 2, 'ip': 4,
             'ipip': 4, 'ipv6-encap': 41, 'ipv6-frag': 44, 'ipv6-icmp': 58, 'ipv6-nonxt': 59, 'ipv6-opts': 60,
             'ipv6-route': 43, 'ospf': 89, 'pgm': 113, 'rsvp': 46, 'sctp': 132, 'tcp': 6, 'udp': 17, 'udplite': 136,
             'vrrp': 112}
WITH_PORTS = frozenset({6, 17, 33, 132, 136})
ALL_PORTS = (1, 65535)
ICMP, ICMPV6 = 1, 58
# Protocol 41 is not among them: it carries IPv6 within IPv4.
_ONLY_V6 = frozenset({43, 44, 58, 59, 60})
_ANY = (None, '', 'any', '-1', '0', 'null')


def protocol(value: Any, ethertype: str) -> str | None:
    """Return a protocol as it is stored: lower case, None for any. In IPv6 rules icmp and 1 mean ipv6-icmp.

    :raises Invalid: unknown, or only of IPv6 in a rule of IPv4.
    """
    text = None if value is None else str(value).lower()
    if text in _ANY:
        return None
    assert text is not None
    found = PROTOCOLS.get(text, int(text) if text.isascii() and text.isdecimal() else -1)
    if not 0 <= found <= 255:
        raise Invalid(f'Security group rule protocol {text} not supported. Values are {", ".join(sorted(PROTOCOLS))} '
                      'and integer representations [0 to 255].', details={'type': 'SecurityGroupRuleInvalidProtocol'})
    if ethertype == 'IPv4' and found in _ONLY_V6:
        raise Invalid(f'Invalid ethertype {ethertype} for protocol {text}.',
                      details={'type': 'SecurityGroupEthertypeConflictWithProtocol'})
    return 'ipv6-icmp' if text == 'icmpv6' or (ethertype == 'IPv6' and found == ICMP) else text


def number(stored: str | None) -> int | None:
    """Return the number of a stored protocol, None for any."""
    return None if stored is None else PROTOCOLS[stored] if stored in PROTOCOLS else int(stored)


def normalized(prefix: str | None) -> str | None:
    """Return a prefix without host bits; a lone address gets its full length."""
    return None if prefix is None else str(addressing.network_of(prefix))


def rule_key(rule: Mapping[str, Any]) -> str:
    """Return the key of a rule as it is stored: equal for rules that mean the same."""
    found = number(rule.get('protocol'))
    if rule['ethertype'] == 'IPv6' and found == ICMP:
        found = ICMPV6  # as rules were stored before
    ports = (rule.get('port_range_min'), rule.get('port_range_max'))
    if found in WITH_PORTS and ports == ALL_PORTS:
        ports = (None, None)
    remote = rule.get('remote_group_id') or normalized(rule.get('remote_ip_prefix'))
    if remote in ('0.0.0.0/0', '::/0'):
        remote = None
    parts = (rule['direction'], rule['ethertype'], found, *ports, remote)
    return ' '.join('-' if part is None else str(part) for part in parts)
