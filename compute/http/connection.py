"""The open connections of a server, and the handling of their requests."""

from __future__ import annotations

import io
import logging
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from compute.http import exchange
from compute.http.exchange import Answer
from compute.http.head import Refused
from compute.http.reader import CONTINUE, Reader, Request
from compute.http.rules import Clients, Rules
from compute.http.stream import Pace, StreamedBody, send

LOG = logging.getLogger(__name__)
_TELL_EVERY = 10.0
LINGER = 2.0
"""Seconds for which data is still read and dropped after a last answer that came before the end of its request."""


class Connection:
    """One client's connection. ``busy``: a request of it runs, or waits for a slot. ``client``: whom it counts for."""

    def __init__(self, sock: Any, peer: tuple[Any, ...], client: str, port: int, rules: Rules) -> None:
        self.socket, self.address, self.number = sock, str(peer[0]), sock.fileno()
        self.client = client
        base = exchange.base_environ('localhost', port, peer)
        self.reader = Reader(rules, base, time.monotonic())
        self.busy = False
        self.closed = False
        self.out: memoryview | None = None  # of an answer, still to be sent
        self.sent, self.out_began = 0, 0.0
        self.keep, self.unread = True, False  # what follows when all is sent
        self.lingers = 0.0  # until when what comes is dropped

    def is_idle(self) -> bool:
        """Return whether nothing runs and nothing has come."""
        return not self.busy and self.out is None and self.reader.idle and not readable(self.socket)


class Connections:
    """All open connections, within the limits of ``rules``."""

    def __init__(self, rules: Rules) -> None:
        self._rules, self._clients = rules, Clients(rules)
        self._open: set[Connection] = set()
        self._lock = threading.Lock()
        self._told = 0.0

    def __len__(self) -> int:
        return len(self._open)

    def all(self) -> list[Connection]:
        """Return the open connections."""
        return list(self._open)

    def open(self, sock: Any, peer: tuple[Any, ...], port: int) -> Connection | None:
        """Return a new connection; None, with an answer and the end of the socket, when there are too many."""
        address = str(peer[0])
        client = self._clients.admit(address)
        if client is None:
            self._refuse(sock, f'{address} has {self._rules.per_address} connections open',
                         'max_connections_per_address')
            return None
        if len(self._open) >= self._rules.connections and not self._make_room():
            self._clients.release(client)
            self._refuse(sock, f'{len(self._open)} connections are open', 'max_connections')
            return None
        connection = Connection(sock, peer, client, port, self._rules)
        self._open.add(connection)
        return connection

    def _refuse(self, sock: Any, why: str, option: str) -> None:
        if time.monotonic() - self._told > _TELL_EVERY:
            self._told = time.monotonic()
            option = f' ([http] {option})' if self._rules.of_options else ''
            LOG.warning('%s, which is the limit%s; more are refused', why, option)
        try:
            sock.setblocking(False)
            sock.send(exchange.refusal(Refused(503, f'{why}, which is the limit')).data)
        except OSError:
            pass
        sock.close()

    def _make_room(self) -> bool:
        """End the connection that was idle for the longest time; False if none is idle."""
        oldest = min(self.idle(1.0), key=lambda each: each.reader.since, default=None)
        if oldest is not None:
            oldest.reader.since = time.monotonic()  # it makes room once, however long its end takes
            shut(oldest.socket, socket.SHUT_RDWR)  # its waiting thread closes it
        return oldest is not None

    def close(self, connection: Connection) -> None:
        """Close a connection; a second call changes nothing."""
        with self._lock:
            if connection.closed:
                return
            connection.closed = True
            self._open.discard(connection)
        self._clients.release(connection.client)
        shut(connection.socket, socket.SHUT_RDWR)
        connection.socket.close()

    def busy(self) -> int:
        """Return on how many connections something has come that is not answered."""
        return sum(not connection.is_idle() for connection in self.all())

    def idle(self, age: float) -> list[Connection]:
        """Return the connections on which nothing runs, nothing has come and nothing happened for some seconds."""
        before = time.monotonic() - age
        return [each for each in self.all() if each.reader.since < before and each.is_idle()]


def make_ready(connection: Connection, request: Request, rules: Rules) -> None:
    """Give a streamed request its body."""
    if request.decoder is None:
        return
    environ = request.environ
    who = f'{environ["REQUEST_METHOD"]} {ascii(environ["PATH_INFO"])[1:-1]} of {connection.address}'
    body = StreamedBody(connection.socket, connection.reader.buffer, request.decoder, rules,
                        CONTINUE if request.expects else b'', who)
    environ['wsgi.input'] = io.BufferedReader(body, 65536)


def send_streamed(connection: Connection, request: Request, answer: Answer, rules: Rules) -> bool:
    """Send a response piece by piece; return whether the connection is kept. :raises OSError: it is broken."""
    pace = Pace(rules)
    send(connection.socket, answer.data, pace)
    for chunk in answer.chunks or ():
        send(connection.socket, chunk, pace)
    return answer.keep and not request.rest and (request.decoder is None or request.decoder.done)


def run(app: exchange.Wsgi, request: Request, draining: Callable[[], bool]) -> Answer:
    """Return the answer to a request; it is the last one if the request's body was left unread."""
    decoder = request.decoder
    return exchange.run(app, request, lambda: draining() or (decoder is not None and not decoder.done))


def is_unread(request: Request) -> bool:
    """Return whether something of the request's body was not read."""
    return request.rest or (request.decoder is not None and not request.decoder.done)


def shut(sock: Any, how: int) -> None:
    """Shut a socket down; one that is closed already stays so."""
    try:
        sock.shutdown(how)
    except OSError:
        pass


def readable(sock: Any) -> bool:
    """Return whether something has come that was not read."""
    raw = getattr(sock, 'fd', None)  # of a green socket, and never blocks
    try:
        if raw is None:
            raw, poller = sock, select.poll()
            poller.register(sock, select.POLLIN)
            if not poller.poll(0):  # a socket with a timeout waits for something even with MSG_DONTWAIT
                return False
        return bool(raw.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except (OSError, ValueError):
        return False
