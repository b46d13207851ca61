"""The open connections of a server, and the handling of their requests."""

from __future__ import annotations

import errno
import heapq
import io
import logging
import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from compute.http import exchange
from compute.http.exchange import Answer
from compute.http.head import Refused
from compute.http.reader import CONTINUE, Reader, Request
from compute.http.rules import Clients, Rules, plain_address
from compute.http.stream import Pace, StreamedBody, queued, send

LOG = logging.getLogger(__name__)
_TELL_EVERY = 10.0
_DOWNLOADS = ('GET', 'HEAD')
# Of connections that may be closed to make room: the least seconds that they are idle, how many are looked for at once,
# and seconds until the next search where none was found.
_IDLE, _FOUND, _PAUSE = 1.0, 64, 0.2
_NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE)
_ROOM = 16  # connections that are closed when there is no descriptor: whoever waits would wait for their idle time
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
        self.pace, self.out_since = Pace(rules.grace, rules.least_rate), 0.0
        self.keep, self.unread = True, False  # what follows when all is sent
        self.lingers = 0.0  # until when what comes is dropped

    def is_quiet(self) -> bool:
        """Return whether nothing runs and nothing was read; something may have come."""
        return not self.busy and self.out is None and self.reader.idle

    def is_idle(self) -> bool:
        """Return whether nothing runs and nothing has come."""
        return self.is_quiet() and not readable(self.socket)

    def has_more(self) -> bool:
        """Return whether something came behind the last request."""
        return bool(self.reader.buffer) or readable(self.socket)


class Connections:
    """All open connections, within the limits of ``rules``."""

    def __init__(self, rules: Rules) -> None:
        self._rules, self._clients = rules, Clients(rules)
        self._open: set[Connection] = set()
        self._by_number: dict[int, Connection] = {}
        self._quiet: list[Connection] = []  # the next to make room, the last one first
        self._next_search = 0.0
        self._warned: dict[str, float] = {}
        # Held while a connection is closed: as long as it is held, the number of an open one is no other's.
        self.lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._open)

    def all(self) -> list[Connection]:
        """Return the open connections."""
        return list(self._open)

    def open(self, sock: Any, peer: tuple[Any, ...], port: int) -> Connection | None:
        """Return a new connection; None, with an answer and the end of the socket, when there are too many."""
        address = plain_address(str(peer[0]))
        client = self._clients.admit(address)
        if client is None:
            self._refuse(sock, f'{address} has {self._rules.per_address} connections open',
                         'max_connections_per_address')
            return None
        if len(self._open) >= self._rules.connections and not self._make_room():
            self._clients.release(client)
            self._refuse(sock, f'{len(self._open)} connections are open', 'max_connections')
            return None
        connection = Connection(sock, (address, *peer[1:]), client, port, self._rules)
        with self.lock:
            self._open.add(connection)
            self._by_number[connection.number] = connection
        return connection

    def find(self, number: int) -> Connection | None:
        """Return the open connection with this file descriptor."""
        return self._by_number.get(number)

    def warn(self, text: str, *args: Any) -> None:
        """Log a warning, unless the same was logged a short time ago."""
        now = time.monotonic()
        if now - self._warned.get(text, float('-inf')) > _TELL_EVERY:
            self._warned[text] = now
            LOG.warning(text, *args)

    def _refuse(self, sock: Any, why: str, option: str) -> None:
        option = f' ([http] {option})' if self._rules.of_options else ''
        self.warn('%s, which is the limit%s; more are refused', why, option)
        with suppress(OSError):
            sock.setblocking(False)
            sock.send(exchange.refusal(Refused(503, f'{why}, which is the limit')).data)
            sock.shutdown(socket.SHUT_WR)
            sock.recv(65536)  # closed with unread data it would be reset, and the client might not see the answer
        sock.close()

    def failed(self, error: Exception) -> None:
        """Log that a connection could not be accepted, and close idle ones if that is for want of descriptors."""
        if not isinstance(error, OSError):
            LOG.error('a connection could not be accepted', exc_info=error)
            return
        self.warn('a connection could not be accepted: %s', error)
        if error.errno in _NO_DESCRIPTOR:
            for _ in range(_ROOM):
                if not self._make_room():
                    return

    def _make_room(self) -> bool:
        """End the connection that was idle for the longest time; False if none is idle.

        Whoever brings a listener to its limit calls this with each connection, so it must not look at all of them.
        """
        now = time.monotonic()
        for search in (False, True):
            if search:
                if now < self._next_search:
                    return False
                quiet = (each for each in self.all() if each.reader.since < now - _IDLE and each.is_quiet())
                self._quiet = heapq.nsmallest(_FOUND, quiet, key=lambda each: each.reader.since)[::-1]
            while self._quiet:
                oldest = self._quiet.pop()
                if not oldest.closed and oldest.reader.since < now - _IDLE and oldest.is_idle():
                    oldest.reader.since = now  # it makes room once, however long its end takes
                    shut(oldest.socket, socket.SHUT_RDWR)  # its waiting thread closes it
                    return True
        self._next_search = now + _PAUSE
        return False

    def close(self, connection: Connection) -> None:
        """Close a connection; a second call changes nothing."""
        with self.lock:
            if connection.closed:
                return
            connection.closed = True
            self._open.discard(connection)
            self._by_number.pop(connection.number, None)
        self._clients.release(connection.client)
        shut(connection.socket, socket.SHUT_RDWR)
        connection.socket.close()

    def busy(self) -> int:
        """Return on how many connections something has come that is not answered, and will be."""
        return sum(not (connection.lingers or connection.is_idle()) for connection in self.all())

    def idle(self, age: float) -> list[Connection]:
        """Return the connections on which nothing runs, nothing has come and nothing happened for some seconds."""
        before = time.monotonic() - age
        return [each for each in self.all() if each.reader.since < before and each.is_idle()]


def is_download(request: Request) -> bool:
    """Return to which of the two pools of streams a request belongs; clients may invent any number of methods."""
    return request.environ['REQUEST_METHOD'] in _DOWNLOADS


def permit(connection: Connection) -> None:
    """Send the interim response that a client waits for; without, where the socket is full, it goes on after a while.

    :raises OSError: the connection is broken.
    """
    interim, connection.reader.interim = connection.reader.interim, b''
    connection.socket.settimeout(0)
    with suppress(BlockingIOError):
        connection.socket.send(interim)


def make_ready(connection: Connection, request: Request, rules: Rules) -> None:
    """Give a streamed request its body."""
    if request.decoder is None:
        return
    environ = request.environ
    who = f'{environ["REQUEST_METHOD"]} {ascii(environ["PATH_INFO"])[1:-1]} of {connection.address}'
    request.body = body = StreamedBody(connection.socket, connection.reader.buffer, request.decoder, rules,
                                       CONTINUE if request.expects else b'', who)
    environ['wsgi.input'] = io.BufferedReader(body, 65536)


def send_streamed(connection: Connection, request: Request, answer: Answer, rules: Rules) -> bool:
    """Send a response piece by piece; return whether the connection is kept. :raises OSError: it is broken."""
    if request.body is not None:
        request.body.answered()
    pace = pace_of(connection, rules.grace, rules.stream_rate)
    send(connection.socket, answer.data, pace)
    for chunk in answer.chunks or ():
        send(connection.socket, chunk, pace)
    return answer.keep and not request.rest and (request.decoder is None or request.decoder.done)


def pace_of(connection: Connection, window: float, rate: int) -> Pace:
    """Return the measure of how fast the client takes what is sent to it."""
    return Pace(window, rate, lambda: queued(connection.socket))


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
