"""Ports for daemons that tests start, kill and start again.

A number that the kernel gives is one of those it also gives to outgoing connections: between the moment a test learns
it and the moment its daemon listens, and while a killed daemon is down, any connection here may have it. These are
below the kernel's range (net.ipv4.ip_local_port_range), and each process of tests has a block of them to itself.
"""

from __future__ import annotations

import functools
import itertools
import socket
from collections.abc import Iterator

_FIRST, _LAST, _BLOCK = 11000, 23000, 1000


def free_ports(count: int) -> list[int]:
    """Return ports that nobody has now, and that no connection and no other process of tests takes later."""
    return list(itertools.islice((port for port in _numbers() if _nobody_has(port)), count))


@functools.cache
def _numbers() -> Iterator[int]:
    for first in range(_FIRST, _LAST, _BLOCK):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f'\0compute-tests-ports-{first}')  # an abstract name: it is free when the process ends
        except OSError:
            claim.close()
        else:
            return _around(first, claim)
    raise AssertionError(f'all blocks of {_BLOCK} ports from {_FIRST} to {_LAST} are in use by processes of tests')


def _around(first: int, claim: socket.socket) -> Iterator[int]:
    with claim:
        yield from itertools.cycle(range(first, first + _BLOCK))


def _nobody_has(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(('127.0.0.1', port))
        except OSError:
            return False
    return True
