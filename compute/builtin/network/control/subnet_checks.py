"""Checks of subnets: networks that hosts can use, IPv6 modes, gateways, name servers, routes. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from compute.builtin.network.control import addressing
from compute.builtin.network.control.addressing import BAD_REQUEST, Address, Net
from compute.exception import Invalid
from compute.objects.nic import UNSPECIFIED

MOST_NAME_SERVERS, MOST_ROUTES = 5, 20
_INPUT = {'type': 'InvalidInput'}
_SPECIAL: dict[int, tuple[tuple[Net, str], ...]] = {
    version: tuple((ipaddress.ip_network(cidr), purpose) for cidr, purpose in purposes) for version, purposes in (
        (4, (('0.0.0.0/8', 'hosts that have no address yet'), ('127.0.0.0/8', 'loopback interfaces'),
             ('169.254.0.0/16', 'addresses of a link'), ('224.0.0.0/4', 'multicast'),
             ('255.255.255.255/32', 'broadcast'))),
        (6, (('::/96', 'the unspecified address, the loopback interface and IPv4-compatible addresses'),
             ('::ffff:0:0/96', 'IPv4-mapped addresses'), ('fe80::/10', 'addresses of a link'),
             ('ff00::/8', 'multicast'))))}


def demand_usable(net: Net) -> None:
    """Check that hosts can have the addresses of a network. :raises Invalid: names their reserved purpose."""
    if net.prefixlen == 0:
        raise Invalid(f'cidr: {net} has prefix length 0', details=_INPUT)
    for special, purpose in _SPECIAL[net.version]:
        if net.overlaps(special):  # type: ignore[arg-type]
            raise Invalid(f'cidr: {net} has addresses of {special} in it, which is for {purpose}', details=_INPUT)


def demand_room_for_dhcp(net: Net, values: Mapping[str, Any]) -> None:
    """Return if a subnet has room for gateway, DHCP and a guest, or needs none. :raises Invalid:"""
    longest = net.max_prefixlen - 2
    if values['enable_dhcp'] and net.prefixlen > longest:
        raise Invalid(f'enable_dhcp: {net} has a prefix of {net.prefixlen} bits; a subnet with DHCP has {longest} at '
                      'most', details=_INPUT)


def demand_modes(net: Net, values: Mapping[str, Any]) -> None:
    """Return if the IPv6 modes of a subnet fit together. :raises Invalid:"""
    modes = {values['ipv6_ra_mode'], values['ipv6_address_mode']} - {None}
    if not modes:
        return
    if net.version == 4:
        raise Invalid('ipv6_ra_mode and ipv6_address_mode are for subnets of ip_version 6', details=_INPUT)
    if len(modes) == 2:
        raise Invalid(f'ipv6_ra_mode {values["ipv6_ra_mode"]} and ipv6_address_mode {values["ipv6_address_mode"]} '
                      'must be equal where both are given', details=_INPUT)
    if not values['enable_dhcp']:
        raise Invalid('ipv6_ra_mode and ipv6_address_mode need enable_dhcp', details=_INPUT)
    if modes != {'dhcpv6-stateful'} and net.prefixlen != 64:
        raise Invalid(f'cidr: {net}: the IPv6 mode {modes.pop()} needs a prefix of 64 bits', details=_INPUT)


def gateway(net: Net, text: str | None) -> Address | None:
    """Read a gateway; None and empty text mean none. It may be outside the network.

    :raises Invalid: no host can have it.
    """
    if text is None or text == '':
        return None
    found = addressing.address_of(text, 'gateway_ip')
    if found.version != net.version:
        raise Invalid(f'gateway_ip: {found} is of another IP version than {net}', details=BAD_REQUEST)
    first, last = addressing.usable(net)
    if found in net:
        unusable = not first <= int(found) <= last
    else:
        unusable = any(found in special for special, _ in _SPECIAL[net.version]) and not (
            found.version == 6 and found.is_link_local)
    if unusable:
        raise Invalid(f'gateway_ip: {found} is no address that the gateway of {net} can have', details=_INPUT)
    return found


def read_lists(net: Net, values: dict[str, Any]) -> None:
    """Make name servers and host routes canonical; null becomes an empty list. :raises Invalid: names the list."""
    if 'dns_nameservers' in values:
        values['dns_nameservers'] = _name_servers(values['dns_nameservers'] or [])
    if 'host_routes' in values:
        values['host_routes'] = _routes(net, values['host_routes'] or [])


def _name_servers(texts: Sequence[str]) -> list[str]:
    if len(texts) > MOST_NAME_SERVERS:
        raise Invalid(f'dns_nameservers: {len(texts)} are given; the limit is {MOST_NAME_SERVERS}',
                      details={'type': 'DNSNameServersExhausted'})
    servers = [str(addressing.address_of(text, 'dns_nameservers')) for text in texts]
    if len(set(servers)) != len(servers):
        raise Invalid(f'dns_nameservers: {servers} has duplicates', details=BAD_REQUEST)
    if len(servers) > 1 and (none := [server for server in servers if server in UNSPECIFIED]):
        raise Invalid(f'dns_nameservers: {none[0]} means that no name server is announced, so it stands alone',
                      details=_INPUT)
    return servers


def _routes(net: Net, routes: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    if len(routes) > MOST_ROUTES:
        raise Invalid(f'host_routes: {len(routes)} are given; the limit is {MOST_ROUTES}',
                      details={'type': 'HostRoutesExhausted'})
    found = [_route(net, route) for route in routes]
    for number, route in enumerate(found):
        if route in found[:number]:
            raise Invalid(f'host_routes: {route["destination"]} via {route["nexthop"]} is repeated',
                          details=BAD_REQUEST)
    return found


def _route(net: Net, route: Mapping[str, str]) -> dict[str, str]:
    destination = addressing.network_of(route['destination'], what='host_routes.destination')
    hop = addressing.address_of(route['nexthop'], 'host_routes.nexthop')
    if destination.version != net.version or hop.version != net.version:
        raise Invalid(f'host_routes: {destination} via {hop} is of another IP version than {net}', details=BAD_REQUEST)
    return {'destination': str(destination), 'nexthop': str(hop)}
