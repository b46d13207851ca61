"""The socket of an offer: an address that the destination can reach, and one of the configured ports."""

from __future__ import annotations

import errno
import ipaddress
import random
import socket
from collections.abc import Iterable

from compute import exception

_BACKLOG = 16


def listen(address: str | None, ports: Iterable[int], peer: str) -> tuple[socket.socket, str]:
    """Return a listening socket and the address to offer to ``peer``.

    :param address: where to listen; None for the address from which this host reaches ``peer``.
    :raises Unavailable: ``transfer_listen``: the address is not of this host, or no port is free.
    """
    try:
        offered = _towards(peer) if address is None or ipaddress.ip_address(address).is_unspecified else address
        return _bound(address or offered, list(ports)), offered
    except OSError as error:
        raise exception.Unavailable(
            f'cannot listen at {address or "the address towards " + peer}: {error.strerror or error}',
            code='transfer_listen', hint='see [worker] transfer_address and transfer_ports') from error


def _bound(address: str, ports: list[int]) -> socket.socket:
    """Bind to one of the ports; the choice is random, so that offers made at the same time seldom meet."""
    family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
    for port in random.sample(ports, len(ports)):
        try:
            return socket.create_server((address, port), family=family, backlog=_BACKLOG,
                                        dualstack_ipv6=address == '::')
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    raise OSError(errno.EADDRINUSE, f'all of the {len(ports)} ports are in use')


def _towards(peer: str) -> str:
    """Return the address from which this host reaches another; nothing is sent to find it."""
    family = socket.AF_INET6 if ipaddress.ip_address(peer).version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((peer, 9))
        return str(probe.getsockname()[0])
