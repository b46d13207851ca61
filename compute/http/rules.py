"""The limits of an HTTP server: sizes, times, rates and numbers of connections."""

from __future__ import annotations

import ipaddress
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from compute.exception import Invalid

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
MAX_HEAD, MAX_LINE, MAX_HEADERS = 65536, 16384, 200
MAX_BODY = 114688


def by_address(address: str) -> str:
    """Return what connections are counted by: each address is a client."""
    return address


def no_stream(environ: dict[str, Any]) -> bool:
    """Say that no request is streamed."""
    return False


def plain_address(text: str) -> str:
    """Return an IPv4 address without what a socket for IPv4 and IPv6 puts before it (``::ffff:``)."""
    return text[7:] if text.startswith('::ffff:') and '.' in text else text


def _network(text: str) -> Network:
    network = ipaddress.ip_network(text, strict=False)
    mapped = network.network_address.ipv4_mapped if isinstance(network, ipaddress.IPv6Network) else None
    if mapped is None or network.prefixlen < 96:
        return network
    return ipaddress.IPv4Network((mapped, network.prefixlen - 96))


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The limits of a server for its clients. Times are seconds, rates bytes per second.

    :param grace: time that a client has before ``least_rate`` counts; the window over which ``stream_rate`` is
        measured.
    :param max_body: bytes of a body that is read before the application runs. A larger one is refused.
    :param is_stream: tells whether a request's body or answer may be of any size. Such a request runs in a pool of its
        own (``streams`` for each method), and the application reads its body while it comes.
    :param exempt: networks to which ``per_address`` does not apply.
    :param client_of: returns the client at an address. ``per_address`` counts the connections of a client, which may
        have several addresses.
    :param keep_alive: whether a connection may carry several requests.
    :param of_options: whether the limits are those of the group ``[http]``, which messages then name.
    """

    header_timeout: float = 20.0
    body_timeout: float = 60.0
    idle_timeout: float = 120.0
    grace: float = 10.0
    least_rate: int = 1000
    stream_rate: int = 10000
    streams: int = 50
    max_body: int = MAX_BODY
    connections: int = 4000
    per_address: int = 1000
    exempt: tuple[Network, ...] = ()
    client_of: Callable[[str], str] = field(default=by_address)
    keep_alive: bool = True
    of_options: bool = True
    is_stream: Callable[[dict[str, Any]], bool] = field(default=no_stream)

    @classmethod
    def of(cls, options: Any, max_body: int, is_stream: Callable[[dict[str, Any]], bool] | None = None) -> Rules:
        """Read the ``[http]`` group. :raises Invalid: an address that is none."""
        try:
            exempt = tuple(_network(text) for text in options.proxy_addresses)
        except ValueError as error:
            raise Invalid(f'[http] proxy_addresses: {error}') from None
        return cls(header_timeout=options.header_timeout, body_timeout=options.body_timeout,
                   least_rate=options.least_rate, stream_rate=options.stream_least_rate, streams=options.streams,
                   connections=options.max_connections, per_address=options.max_connections_per_address,
                   exempt=exempt, max_body=max_body, is_stream=is_stream or no_stream)


class Clients:
    """Counts the open connections of each client."""

    def __init__(self, rules: Rules) -> None:
        self._most, self._exempt, self._client_of = rules.per_address, rules.exempt, rules.client_of
        self._open: Counter[str] = Counter()
        self._lock = threading.Lock()

    def admit(self, address: str) -> str | None:
        """Count one more connection and return its client; None if the client has as many as it may."""
        client = self._client_of(address)
        with self._lock:
            if self._most and self._open[client] >= self._most and not self._is_exempt(address):
                return None
            self._open[client] += 1
            return client

    def release(self, client: str) -> None:
        """Count one connection less."""
        with self._lock:
            self._open[client] -= 1
            if self._open[client] <= 0:
                del self._open[client]

    def _is_exempt(self, address: str) -> bool:
        return any(ipaddress.ip_address(address) in network for network in self._exempt)
