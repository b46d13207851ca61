"""The inet table: security groups with connection tracking, and networks kept apart.

Each bridge has its own conntrack zone, so networks with the same addresses do not mix. A packet is looked at twice:
before the bridge decides where it goes, by the rules of the port that it comes from, and after, by those of the port
that it goes to; ``spoofing`` has marked it with the number of the one and then of the other. Ports with equal rules
share a chain: a thousand ports in one group cost two chains.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
from collections.abc import Mapping
from typing import Any

from compute.builtin.network.agent import names
from compute.builtin.network.agent.linux.nft import (
    ACCEPT,
    DROP,
    Json,
    Table,
    mangle,
    match,
    meta,
    payload,
    state,
)
from compute.builtin.network.agent.linux.settings import Settings
from compute.objects.wiring import NetworkWiring, PortWiring, Rule

NAME = 'cnet_filtering'
ICMP, ICMP6 = 1, 58
PROTOCOLS = {
    'icmp': ICMP, 'igmp': 2, 'ipip': 4, 'tcp': 6, 'egp': 8, 'udp': 17, 'dccp': 33, 'ipv6-encap': 41, 'ipv6-route': 43,
    'ipv6-frag': 44, 'rsvp': 46, 'gre': 47, 'esp': 50, 'ah': 51, 'icmpv6': ICMP6, 'ipv6-icmp': ICMP6, 'ipv6-nonxt': 59,
    'ipv6-opts': 60, 'ospf': 89, 'vrrp': 112, 'pgm': 113, 'sctp': 132, 'udplite': 136}
WITH_PORTS = frozenset((6, 17, 33, 132, 136))
# Multicast listener queries and reports, router and neighbor discovery (RFC 4890, 4.4.1): IPv6 does not work without.
DISCOVERY_IN, DISCOVERY_OUT = [130, 131, 132, 134, 135, 136], [131, 132, 133, 135, 136, 143]


def table(networks: list[NetworkWiring], marks: Mapping[str, int], zones: Mapping[str, int],
          settings: Settings) -> Table:
    """Return the table for these networks; ``zones`` gives the conntrack zone of each."""
    made = Table('inet', NAME)
    made.set('bridges', 'ifname', [names.bridge(network.id) for network in networks])
    made.set('uplinks', 'ifname', [names.uplink(network.id) for network in networks])
    made.chain('zones', type='filter', hook='prerouting', prio=-300)
    if networks:
        pairs = [[names.bridge(network.id), zones[network.id]] for network in networks]
        made.rule('zones', mangle({'ct': {'key': 'zone'}}, {
            'map': {'key': meta('iifname'), 'data': {'set': pairs}}}))
    ports = [port for network in networks for port in network.ports if port.security]
    for direction, hook, prio in (('egress', 'prerouting', -150), ('ingress', 'forward', 0)):
        _direction(made, direction, hook, prio, ports, marks)
    _apart(made, settings.external_interface)
    return made


def _direction(made: Table, direction: str, hook: str, prio: int, ports: list[PortWiring],
               marks: Mapping[str, int]) -> None:
    chains: dict[str, str] = {}
    elements = []
    for port in ports:
        rules = statements(port.rules, direction)
        key = json.dumps(rules, sort_keys=True)
        if key not in chains:
            chains[key] = f'{direction}_{hashlib.sha256(key.encode()).hexdigest()[:16]}'
            _port_chain(made, chains[key], direction, rules)
        elements.append([marks[port.id], {'goto': {'target': chains[key]}}])
    made.map(f'{direction}_ports', 'mark', 'verdict', elements)
    made.chain(direction, type='filter', hook=hook, prio=prio)
    made.rule(direction, match(meta('iifname'), '@bridges', '!='), ACCEPT)
    made.rule(direction, state('established', 'related'), ACCEPT)
    made.rule(direction, {'vmap': {'key': meta('mark'), 'data': f'@{direction}_ports'}})


def _port_chain(made: Table, chain: str, direction: str, rules: list[list[Json]]) -> None:
    made.chain(chain)
    made.rule(chain, state('invalid'), DROP)
    incoming = direction == 'ingress'
    for server, client in ((67, 68), (547, 546)):
        sport, dport = (server, client) if incoming else (client, server)
        made.rule(chain, match(payload('udp', 'sport'), sport), match(payload('udp', 'dport'), dport), ACCEPT)
    made.rule(chain, match(payload('icmpv6', 'type'), {'set': DISCOVERY_IN if incoming else DISCOVERY_OUT}), ACCEPT)
    if not incoming:
        made.rule(chain, match(payload('ip', 'daddr'), names.METADATA_ADDRESS), match(payload('tcp', 'dport'), 80),
                  ACCEPT)
    for rule in rules:
        made.rule(chain, *rule, ACCEPT)
    made.rule(chain, DROP)


def _apart(made: Table, external_interface: str) -> None:
    made.chain('apart', type='filter', hook='forward', prio=-10)
    made.rule('apart', match(meta('iifname'), '@uplinks'), match(meta('oifname'), '@uplinks'), DROP)
    if external_interface:
        made.rule('apart', match(meta('iifname'), '@uplinks'), match(meta('oifname'), external_interface, '!='), DROP)


def statements(rules: tuple[Rule, ...], direction: str) -> list[list[Json]]:
    """Return what each rule of a direction matches; rules that match nobody are left out, equal ones appear once."""
    found = {}
    for rule in rules:
        if rule.direction == direction and (made := _statement(rule)) is not None:
            found[json.dumps(made, sort_keys=True)] = made
    return [found[key] for key in sorted(found)]


def _statement(rule: Rule) -> list[Json] | None:
    version = 6 if rule.ethertype.lower() == 'ipv6' else 4
    made = [match(meta('nfproto'), f'ipv{version}')]
    protocol = number(rule.protocol, version)
    if protocol is not None:
        made.append(match(meta('l4proto'), protocol))
        made += _details(rule, protocol)
    if not rule.remote:
        return None if rule.remote_group else made
    remotes = [prefix for prefix in map(_prefix, rule.remote) if prefix.version == version]
    if not remotes:
        return None
    collapsed: list[Any] = list(ipaddress.collapse_addresses(remotes))
    if collapsed[0].prefixlen:
        side = payload('ip' if version == 4 else 'ip6', 'saddr' if rule.direction == 'ingress' else 'daddr')
        made.append(match(side, {'set': [_element(prefix) for prefix in collapsed]}))
    return made


def number(protocol: str | None, version: int) -> int | None:
    """Return a protocol's number, None for any; ``icmp`` in an IPv6 rule means ICMPv6."""
    if protocol is None or protocol.lower() in ('', 'any', '0'):
        return None
    found = int(protocol) if protocol.isdecimal() else PROTOCOLS[protocol.lower()]
    return ICMP6 if found == ICMP and version == 6 else found


def _details(rule: Rule, protocol: int) -> list[Json]:
    first, last = rule.port_min, rule.port_max
    if protocol in (ICMP, ICMP6):
        family = 'icmp' if protocol == ICMP else 'icmpv6'
        return [match(payload(family, name), value) for name, value in (('type', first), ('code', last))
                if value is not None]
    if protocol not in WITH_PORTS or (first is None and last is None):
        return []
    low, high = first if first is not None else last, last if last is not None else first
    return [match(payload('th', 'dport'), low if low == high else {'range': [low, high]})]


def _prefix(text: str) -> Any:
    return ipaddress.ip_network(text, strict=False)


def _element(prefix: Any) -> Any:
    if prefix.prefixlen == prefix.max_prefixlen:
        return str(prefix.network_address)
    return {'prefix': {'addr': str(prefix.network_address), 'len': prefix.prefixlen}}
