"""Arithmetic of addresses: pools, gateways, EUI-64, MACs. Pure functions."""

from __future__ import annotations

import ipaddress
import random
import re
from collections.abc import Iterable, Iterator
from typing import Any

from compute.exception import Conflict, Invalid

Net = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Pool = tuple[int, int]
"""First and last address, both included, as numbers."""


def network_of(cidr: str, version: int | None = None, what: str = 'cidr') -> Net:
    """Read a CIDR; bits beyond the prefix are cleared. :raises Invalid: not one, or of another IP version.

    ``what`` is the field that errors name.
    """
    try:
        net = ipaddress.ip_network(_unscoped(cidr), strict=False)
    except ValueError:
        raise Invalid(f'{what}: {cidr!r} is not a network in CIDR notation', details=BAD_REQUEST) from None
    if version is not None and net.version != version:
        raise Invalid(f'{what}: {cidr} is of IP version {net.version}, but ip_version is {version}',
                      details=BAD_REQUEST)
    return net


BAD_REQUEST = {'type': 'HTTPBadRequest'}
IPV6_LEAST_MTU = 1280
_MAC = re.compile('([0-9a-f]{1,2}:){5}[0-9a-f]{1,2}|([0-9a-f]{1,2}-){5}[0-9a-f]{1,2}|'
                  '[0-9a-f]{4}[.][0-9a-f]{4}[.][0-9a-f]{4}|[0-9a-f]{12}', re.IGNORECASE | re.ASCII)


def address_of(text: str, what: str = 'ip_address') -> Address:
    """Read an address. :raises Invalid: names ``what``."""
    try:
        return ipaddress.ip_address(_unscoped(text))
    except ValueError:
        raise Invalid(f'{what}: {text!r} is not an IP address', details=BAD_REQUEST) from None


def _unscoped(text: str) -> str:
    """Return what has no zone: behind the % of an IPv6 address may stand anything, line feeds too, and hosts get it.

    :raises ValueError: it has one.
    """
    if '%' in text:
        raise ValueError(text)
    return text


def number(address: Address | int) -> str:
    """Return what sorts as addresses do: 32 hexadecimal digits."""
    return f'{int(address):032x}'


def from_number(digits: str | int, version: int) -> Address:
    """Return the address of a number."""
    value = digits if isinstance(digits, int) else int(digits, 16)
    return ipaddress.IPv4Address(value) if version == 4 else ipaddress.IPv6Address(value)


def usable(net: Net) -> Pool:
    """Return the first and last address that a host may have.

    Without the network's own and, in version 4, without the broadcast address; two-address and one-address networks
    are used entirely.
    """
    first, last = int(net.network_address), int(net.broadcast_address)
    if net.num_addresses <= 2:
        return first, last
    return first + 1, last - 1 if net.version == 4 else last


def default_gateway(net: Net) -> Address:
    """Return the address that the gateway has unless the user says otherwise: the first usable one."""
    return from_number(usable(net)[0], net.version)


def default_pools(net: Net, gateway: Address | None) -> list[dict[str, str]]:
    """Return the pools of a subnet for which the user names none: everything usable but the gateway."""
    first, last = usable(net)
    spans = [(first, last)]
    if gateway is not None and first <= int(gateway) <= last:
        spans = [(first, int(gateway) - 1), (int(gateway) + 1, last)]
    return [_pool(span, net.version) for span in spans if span[0] <= span[1]]


def _pool(span: Pool, version: int) -> dict[str, str]:
    return {'start': str(from_number(span[0], version)), 'end': str(from_number(span[1], version))}


def check_pools(net: Net, pools: Iterable[dict[str, str]], gateway: Address | None) -> list[dict[str, str]]:
    """Return the user's pools, sorted.

    :raises Invalid: a pool that is upside down, or lies outside the subnet.
    :raises Conflict: two that overlap, or one that holds the gateway.
    """
    first, last = usable(net)
    spans = []
    for pool in pools:
        start, end = (address_of(pool[key], f'allocation_pools.{key}') for key in ('start', 'end'))
        shown = f'{start}-{end}'
        if start.version != net.version or end.version != net.version or int(start) > int(end):
            raise Invalid(f'The allocation pool {shown} is not valid.', details={'type': 'InvalidAllocationPool'})
        if int(start) < first or int(end) > last:
            raise Invalid(f'The allocation pool {shown} spans beyond the subnet cidr {net}.',
                          details={'type': 'OutOfBoundsAllocationPool'})
        if gateway is not None and int(start) <= int(gateway) <= int(end):
            raise Conflict(f'Gateway ip {gateway} conflicts with allocation pool {shown}.',
                           details={'type': 'GatewayConflictWithAllocationPools'})
        spans.append((int(start), int(end)))
    spans.sort()
    for one, other in zip(spans, spans[1:], strict=False):
        if other[0] <= one[1]:
            raise Conflict(f'Found overlapping allocation pools {_pool(one, net.version)} and '
                           f'{_pool(other, net.version)} for subnet {net}.',
                           details={'type': 'OverlappingAllocationPools'})
    return [_pool(span, net.version) for span in spans]


def spans(pools: Iterable[dict[str, str]]) -> list[Pool]:
    """Return pools as numbers."""
    return [(int(ipaddress.ip_address(pool['start'])), int(ipaddress.ip_address(pool['end']))) for pool in pools]


def first_free(pools: Iterable[Pool], used: Iterable[int]) -> int | None:
    """Return the first number of the pools that is not used, None when all are. ``used`` ascends."""
    taken = iter(used)
    current = next(taken, None)
    for start, end in pools:
        candidate = start
        while current is not None and current <= end:
            if current > candidate:
                break
            if current == candidate:
                candidate += 1
            current = next(taken, None)
        if candidate <= end:
            return candidate
    return None


def eui64(net: Net, mac: str) -> Address:
    """Return the address that a guest with this MAC gives itself in a network of 64 bits."""
    octets = [int(part, 16) for part in mac.split(':')]
    octets[0] ^= 2
    host = octets[:3] + [0xff, 0xfe] + octets[3:]
    return from_number(int(net.network_address) + int.from_bytes(bytes(host), 'big'), 6)


def mac_of(text: str, what: str = 'mac_address') -> str:
    """Read a MAC in any of its usual spellings. :raises Invalid: not one, zero, or that of a group of stations."""
    parts = re.split('[:-]', text.replace('.', '')) if _MAC.fullmatch(text) else ['0']
    digits = ''.join(part.rjust(2, '0') for part in parts)
    if not int(digits, 16) or int(digits[1], 16) & 1:
        raise Invalid(f'{what}: {text[:50]!r} is not a valid MAC address of an interface', details=BAD_REQUEST)
    return ':'.join(digits[at:at + 2] for at in range(0, 12, 2)).lower()


def macs(base: str) -> Iterator[str]:
    """Yield random MACs that begin as ``base`` does: with three octets of it, or four where the fourth is not zero."""
    octets = base.lower().split(':')
    kept = octets[:4] if octets[3] != '00' else octets[:3]
    while True:
        yield ':'.join(kept + [f'{random.getrandbits(8):02x}' for _ in range(6 - len(kept))])


def is_automatic(subnet: Any) -> bool:
    """Tell whether guests give themselves their addresses (SLAAC, stateless DHCPv6)."""
    return subnet['ipv6_address_mode'] in ('slaac', 'dhcpv6-stateless')
