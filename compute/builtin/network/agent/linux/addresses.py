"""Addresses and routes of one namespace, changed only where they differ. Routes of ours carry a protocol number.

Runs in the helper process only.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pyroute2 import IPRoute

MAIN_TABLE = 254
ROUTE_PROTOCOL = 150
IFA_F_NODAD = 0x02
LINK_LOCAL = ipaddress.IPv6Network('fe80::/10')


@dataclass(frozen=True)
class Route:
    """A route in the main table; ``via`` is empty for one on the link."""

    prefix: str
    interface: int
    via: str = ''
    source: str = ''


def ensure_addresses(ipr: IPRoute, interface: int, name: str, wanted: Iterable[str], changes: list[str]) -> None:
    """Give an interface exactly these addresses (with prefix lengths); link-local IPv6 that nobody asks for is left."""
    stated = {str(ipaddress.ip_interface(address)) for address in wanted}
    found = {f'{message.get("address")}/{message["prefixlen"]}' for message in ipr.addr('dump', index=interface)}
    present = {address for address in found if address in stated or not _link_local(address.partition('/')[0])}
    for address in sorted(present - stated):
        host, _, length = address.partition('/')
        ipr.addr('del', index=interface, address=host, prefixlen=int(length))
        changes.append(f'{name}: address {address} removed')
    for address in sorted(stated - present):
        host, _, length = address.partition('/')
        # Nobody else may have the gateway's address, and waiting for duplicates would hold up the first guest.
        extra: dict[str, Any] = {'flags': IFA_F_NODAD} if ':' in host else {}
        ipr.addr('add', index=interface, address=host, prefixlen=int(length), **extra)
        changes.append(f'{name}: address {address} added')


def ensure_routes(ipr: IPRoute, wanted: Iterable[Route], where: str, changes: list[str]) -> None:
    """Make the routes that carry our protocol number exactly these."""
    stated = {(route.prefix, route.interface, route.via): route for route in wanted}
    present = {(route.prefix, route.interface, route.via): route for route, ours in routes(ipr) if ours}
    for key in sorted(present.keys() - stated.keys()):
        ipr.route('del', **_arguments(present[key]))
        changes.append(f'{where}: route to {key[0]} removed')
    for key in sorted(stated.keys() - present.keys()):
        ipr.route('replace', **_arguments(stated[key]))
        changes.append(f'{where}: route to {key[0]} added')


def routes(ipr: IPRoute) -> list[tuple[Route, bool]]:
    """Return the unicast routes of the main table, and for each whether it is ours."""
    found = []
    for family in (socket.AF_INET, socket.AF_INET6):
        for message in ipr.route('dump', family=family, table=MAIN_TABLE):
            if message.get('table') != MAIN_TABLE or message.get('oif') is None or message['type'] != 1:
                continue
            nothing = '0.0.0.0' if family == socket.AF_INET else '::'
            prefix = f'{message.get("dst") or nothing}/{message["dst_len"]}'
            route = Route(prefix, message.get('oif'), message.get('gateway') or '', message.get('prefsrc') or '')
            found.append((route, message['proto'] == ROUTE_PROTOCOL))
    return found


def _arguments(route: Route) -> dict[str, Any]:
    family = socket.AF_INET6 if ':' in route.prefix else socket.AF_INET
    arguments: dict[str, Any] = {'dst': route.prefix, 'oif': route.interface, 'proto': ROUTE_PROTOCOL,
                                 'family': family, 'table': MAIN_TABLE}
    if route.via:
        arguments['gateway'] = route.via
    elif family == socket.AF_INET:
        arguments['scope'] = 253
    if route.source:
        arguments['prefsrc'] = route.source
    return arguments


def _link_local(address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    return parsed.version == 6 and parsed in LINK_LOCAL
