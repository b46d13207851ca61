"""The bridge table: a guest sends from its own addresses only, is no DHCP server and no router.

One lookup for each kind of packet, whatever the number of ports: the keys are tap, MAC and address together. This
table also marks each packet with the number of the port that it comes from and, later on its way, of the port that
it goes to, because the ``inet`` hooks (``filtering``) see only the bridge. Packets that a guest sends to the bridge
itself are dropped: they would reach the host.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from compute.builtin.network.agent import names
from compute.builtin.network.agent.linux.nft import (
    ACCEPT,
    DROP,
    Json,
    Table,
    concat,
    mangle,
    match,
    meta,
    payload,
)
from compute.objects.wiring import NetworkWiring, PortWiring

NAME = 'cnet_spoofing'
TAP, SOURCE = meta('iifname'), payload('ether', 'saddr')
# The target address of a neighbor advertisement; this nft has no name for it.
ADVERTISED: Json = {'payload': {'base': 'th', 'offset': 64, 'len': 128}}
ROUTER_SOLICIT, ROUTER_ADVERT, NEIGHBOR_SOLICIT, NEIGHBOR_ADVERT, REDIRECT = 133, 134, 135, 136, 137
LISTENER_REPORT = 143
TAGGED = (0x8100, 0x88a8)


def link_local(mac: str) -> str:
    """Return the IPv6 link-local address that a guest makes of its MAC (RFC 4291, appendix A)."""
    return str(ipaddress.IPv6Address((0xfe80 << 112) | interface_id(mac)))


def interface_id(mac: str) -> int:
    """Return the lower 64 bits of an address that a guest makes of its MAC."""
    octets = [int(pair, 16) for pair in mac.split(':')]
    return int.from_bytes(bytes([octets[0] ^ 2, *octets[1:3], 0xff, 0xfe, *octets[3:]]), 'big')


def numbers(networks: Iterable[NetworkWiring]) -> dict[str, int]:
    """Return the mark of each port that has security, by id."""
    secured = sorted(port.id for network in networks for port in network.ports if port.security)
    return {port_id: number for number, port_id in enumerate(secured, 1)}


def table(networks: list[NetworkWiring], marks: Mapping[str, int]) -> Table:
    """Return the table for these networks."""
    made = Table('bridge', NAME)
    ports = [port for network in networks for port in network.ports]
    secured = [port for port in ports if port.security]
    gateways = [names.gateway(network.id) for network in networks]
    made.set('ports', 'ifname', [*(names.tap(port.id) for port in ports), *gateways])
    made.set('secured', 'ifname', [names.tap(port.id) for port in secured])
    made.map('marks', 'ifname', 'mark', [[names.tap(port.id), marks[port.id]] for port in secured])
    _address_sets(made, secured)
    _from_guests(made, secured)
    made.chain('to_ports', type='filter', hook='forward', prio=-200)
    made.rule('to_ports', match(TAP, '@ports'), mangle(meta('mark'), 0))
    made.rule('to_ports', mangle(meta('mark'), _lookup(meta('oifname'))))
    made.chain('to_host', type='filter', hook='input', prio=-200)
    made.rule('to_host', match(TAP, '@ports'), DROP)
    return made


def _lookup(key: Json) -> Json:
    return {'map': {'key': key, 'data': '@marks'}}


def _from_guests(made: Table, ports: list[PortWiring]) -> None:
    made.chain('from_guests', type='filter', hook='prerouting', prio=-300)
    made.rule('from_guests', match(TAP, '@secured', '!='), ACCEPT)
    made.rule('from_guests', mangle(meta('mark'), _lookup(TAP)))
    made.rule('from_guests', match(concat(TAP, SOURCE), '@macs', '!='), DROP)
    # The kernel may show a tagged packet as what is inside, and the inet hooks do not see it at all.
    made.rule('from_guests', match(payload('ether', 'type'), {'set': list(TAGGED)}), DROP)
    for kind, chain in (('ip', 'ip4'), ('arp', 'arp'), ('ip6', 'ip6')):
        made.chain(chain)
        made.rule('from_guests', match(meta('protocol'), kind), {'goto': {'target': chain}})
    made.rule('from_guests', DROP)
    _arp(made)
    _ip4(made)
    _ip6(made, ports)


def _arp(made: Table) -> None:
    made.rule('arp', match(concat(TAP, payload('arp', 'saddr ether')), '@macs', '!='), DROP)
    made.rule('arp', match(payload('arp', 'saddr ip'), '0.0.0.0'), ACCEPT)  # noqa: S104 - a probe, RFC 5227
    _accept_own(made, 'arp', 'own4', payload('arp', 'saddr ip'))


def _ip4(made: Table) -> None:
    made.rule('ip4', match(payload('udp', 'sport'), 67), DROP)
    made.rule('ip4', match(payload('ip', 'saddr'), '0.0.0.0'), match(payload('udp', 'sport'), 68),  # noqa: S104
              match(payload('udp', 'dport'), 67), ACCEPT)
    _accept_own(made, 'ip4', 'own4', payload('ip', 'saddr'))


def _ip6(made: Table, ports: list[PortWiring]) -> None:
    kind = payload('icmpv6', 'type')
    made.rule('ip6', match(payload('udp', 'sport'), 547), DROP)
    made.rule('ip6', match(kind, {'set': [ROUTER_ADVERT, REDIRECT]}), DROP)
    made.rule('ip6', match(payload('ip6', 'saddr'), '::'),
              match(kind, {'set': [ROUTER_SOLICIT, NEIGHBOR_SOLICIT, LISTENER_REPORT]}), ACCEPT)
    if ports:
        foreign = match(concat(TAP, ADVERTISED), {'set': _advertised(ports)}, '!=')
        made.rule('ip6', match(kind, NEIGHBOR_ADVERT), foreign, DROP)
    _accept_own(made, 'ip6', 'own6', payload('ip6', 'saddr'))


def _advertised(ports: list[PortWiring]) -> list[Json]:
    """Return the single addresses that each tap may claim in a neighbor advertisement."""
    claims = {(names.tap(port.id), int(prefix.network_address)): None for port in ports
              for _, address in _own(port) for prefix in [ipaddress.ip_network(address, strict=False)]
              if prefix.version == 6 and prefix.num_addresses == 1}
    return [{'concat': [tap, f'0x{address:032x}']} for tap, address in claims]


def _accept_own(made: Table, chain: str, name: str, address: Json) -> None:
    for which in (name, f'{name}_ranges'):
        made.rule(chain, match(concat(TAP, SOURCE, address), f'@{which}'), ACCEPT)
    made.rule(chain, DROP)


def _address_sets(made: Table, ports: list[PortWiring]) -> None:
    macs: dict[tuple[str, str], None] = {}
    single: dict[int, dict[tuple[str, str, str], None]] = {4: {}, 6: {}}
    wide: dict[int, dict[tuple[str, str], list[Any]]] = {4: {}, 6: {}}
    for port in ports:
        tap = names.tap(port.id)
        for mac, address in _own(port):
            prefix = ipaddress.ip_network(address, strict=False)
            macs[(tap, mac)] = None
            if prefix.num_addresses == 1:
                single[prefix.version][(tap, mac, str(prefix.network_address))] = None
            else:
                wide[prefix.version].setdefault((tap, mac), []).append(prefix)
        macs[(tap, port.mac.lower())] = None
    made.set('macs', ['ifname', 'ether_addr'], [{'concat': list(key)} for key in macs])
    for version in (4, 6):
        kind = ['ifname', 'ether_addr', f'ipv{version}_addr']
        made.set(f'own{version}', kind, [{'concat': list(key)} for key in single[version]])
        made.set(f'own{version}_ranges', kind, [
            {'concat': [*key, {'prefix': {'addr': str(prefix.network_address), 'len': prefix.prefixlen}}]}
            for key, prefixes in wide[version].items() for prefix in ipaddress.collapse_addresses(prefixes)],
            interval=True)


def _own(port: PortWiring) -> Iterable[tuple[str, str]]:
    own = port.mac.lower()
    yield own, link_local(own)
    for fixed in port.fixed_ips:
        yield own, fixed.address
    for address, mac in port.allowed_address_pairs:
        yield (mac or own).lower(), address
        if mac:
            yield mac.lower(), link_local(mac)
