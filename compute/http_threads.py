"""HTTP on native threads: one thread watches all connections, a bounded pool runs the application.

The watching thread reads what comes, whenever it comes, and hands a request on when it is complete. It sends what a
client does not take at once. So a slow client costs memory and a descriptor, never a thread. Streamed requests have
threads of their own. See ``http_server.Backend``.
"""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing
from typing import Any

from compute import concurrency
from compute.http import connection as connections
from compute.http.connection import LINGER, Connection, Connections
from compute.http.exchange import Wsgi, refusal
from compute.http.head import Refused
from compute.http.reader import Request
from compute.http.rules import Rules
from compute.http_workers import Streams, Workers

LOG = logging.getLogger(__name__)
_MOST_THREADS = 30
_BACKLOG = 512
_PIECE = 65536
_LOOK, _LAST_LOOK = 0.5, 0.05  # seconds between two looks for what is late, and at the end
_IN, _OUT = select.EPOLLIN | select.EPOLLONESHOT, select.EPOLLOUT | select.EPOLLONESHOT


class ThreadedHttp:
    """Serves a WSGI application on a listening socket, with threads of its own or with ``Workers`` of several."""

    def __init__(self, app: Wsgi, listener: socket.socket, size: int | Workers, rules: Rules) -> None:
        self._app, self._listener, self._rules = app, listener, rules
        self._port = listener.getsockname()[1]
        self._workers = size if isinstance(size, Workers) else Workers(min(size, _MOST_THREADS))
        self._own = self._workers is not size
        self._open = Connections(rules)
        self._streams = {download: Streams(rules.streams, self._serve) for download in (False, True)}
        self._epoll = select.epoll()
        self._wake_in, self._wake_out = socket.socketpair()
        self._again: deque[Connection] = deque()  # they have a part of the next request already
        self._draining = self._refuses = self._ended = self._watches = False
        self._idle_age: float | None = None
        self._looked = 0.0
        # Held while a connection is accepted: hides the state in which neither the kernel nor we have it.
        self._door = threading.Lock()

    def start(self) -> None:
        """Begin to accept."""
        # Another process may take the connection that woke this one: accept must not wait for the next.
        self._listener.setblocking(False)
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._epoll.register(self._wake_in.fileno(), select.EPOLLIN)
        self._watch_listener()
        if self._own:
            self._workers.start()
        concurrency.spawn(self._watch, name='http')

    def refuse(self, empty: bool) -> None:
        """Accept no more; with ``empty`` after all that wait already. Open connections go on."""
        with self._door:
            self._refuses = True
            self._unwatch()
        self._wake()  # who comes from here on may be too late, and no event tells that
        if empty:
            self._accept_waiting(time.monotonic() + 1)

    def _accept_waiting(self, until: float) -> None:
        for _ in range(_BACKLOG):
            try:
                if not self._accept_one():
                    return
            except OSError:  # no descriptor is left, say
                if time.monotonic() > until:
                    return
                time.sleep(0.05)

    def last_answers(self) -> None:
        """Make every further answer the last one of its connection."""
        self._draining = True
        self._wake()

    def busy(self) -> int:
        """Return how many requests run, wait for a thread, or have come and were not read yet."""
        return self._open.busy()

    def connections(self) -> int:
        """Return how many connections are open."""
        return len(self._open)

    def close_idle(self, age: float) -> None:
        """Let the watching thread close connections on which nothing runs and nothing has come for ``age`` seconds."""
        self._idle_age = age
        self._wake()

    def end(self) -> None:
        """End the threads; one that is stuck is left, and not waited for."""
        self._ended = True
        if self._own:
            self._workers.end()
        self._wake()

    # -- the watching thread --

    def _watch(self) -> None:
        while not self._ended:
            try:
                self._turn()
            except Exception:  # this thread is the server
                LOG.exception('the HTTP server of port %d failed, and goes on', self._port)
                time.sleep(_LAST_LOOK)
        for connection in self._open.all():
            self._close(connection)
        for each in (self._epoll, self._wake_in, self._wake_out):
            each.close()

    def _turn(self) -> None:
        """Wait for something to do, and do it."""
        for number, _ in self._epoll.poll(self._patience()):
            if number == self._wake_in.fileno():
                self._drop_wakes()
            elif (connection := self._open.find(number)) is None:
                self._accept()
            elif not connection.busy:
                self._guarded(connection, self._continue)
        for _ in range(len(self._again)):
            self._guarded(self._again.popleft(), self._advance)
        now = time.monotonic()
        if now - self._looked >= (_LAST_LOOK if self._draining else _LOOK) or self._idle_age is not None:
            self._looked = now
            self._look(now)

    def _patience(self) -> float | None:
        """Return for how long nothing can become late: without a connection until one comes."""
        if self._draining:
            return _LAST_LOOK
        return None if self._watches and not len(self._open) else _LOOK

    def _guarded(self, connection: Connection, act: Callable[..., None], *args: Any) -> None:
        """Do something for a connection; what goes wrong ends this one, and never the thread that watches all."""
        if connection.closed:
            return
        try:
            act(connection, *args)
        except OSError as error:
            LOG.debug('a connection of %s broke: %s', connection.address, error)
            self._close(connection)
        except Exception:
            LOG.exception('a connection of %s broke', connection.address)
            self._close(connection)

    def _drop_wakes(self) -> None:
        try:
            self._wake_in.recv(4096)
        except BlockingIOError:
            return

    def _accept(self) -> None:
        for _ in range(_BACKLOG):
            try:
                with self._door:
                    if self._refuses or not self._accept_one():
                        return
            except Exception as error:  # no descriptor is left, say: open connections go on meanwhile
                self._open.failed(error)
                with self._door:
                    self._unwatch()
                return

    def _accept_one(self) -> bool:
        """Take a connection that waits; False if there is none. :raises OSError: it cannot be taken."""
        try:
            sock, client = self._listener.accept()
        except BlockingIOError:
            return False
        connection = None
        try:
            sock.setblocking(False)
            connection = self._open.open(sock, client, self._port)
            if connection is not None:
                self._epoll.register(connection.number, _IN)
        except BaseException:
            if connection is None:
                sock.close()
            else:
                self._close(connection)
            raise
        return True

    def _watch_listener(self) -> None:
        with self._door:
            if not (self._watches or self._refuses):
                self._epoll.register(self._listener.fileno(), select.EPOLLIN | select.EPOLLEXCLUSIVE)
                self._watches = True

    def _unwatch(self) -> None:
        if self._watches:
            self._watches = False
            self._epoll.unregister(self._listener.fileno())

    def _continue(self, connection: Connection) -> None:
        """Continue a connection that is ready. :raises OSError: it is broken."""
        if connection.out is not None:
            self._send_more(connection)
            return
        try:
            data = connection.socket.recv(_PIECE)
        except BlockingIOError:
            self._arm(connection, _IN)
            return
        if connection.lingers:
            if data:
                self._arm(connection, _IN)
            else:
                self._close(connection)
        elif data:
            connection.reader.feed(data, time.monotonic())
            self._advance(connection)
        else:
            self._give_up(connection, late=False)

    def _advance(self, connection: Connection) -> None:
        """Hand a request on if it is complete."""
        try:
            request = connection.reader.take(time.monotonic())
        except Refused as error:
            self._refuse_request(connection, error)
            return
        if request is not None:
            self._hand_on(connection, request)
            return
        if connection.reader.interim:
            connections.permit(connection)
        self._arm(connection, _IN)

    def _hand_on(self, connection: Connection, request: Request) -> None:
        connection.busy = True
        if request.streamed:
            self._streams[connections.is_download(request)].submit(connection, request)
        else:
            self._workers.submit(self._serve, connection, request)

    def _give_up(self, connection: Connection, late: bool) -> None:
        """End a connection whose client sends no more, or too slowly; a request with half a body is still answered."""
        try:
            request = connection.reader.give_up(late, time.monotonic())
        except Refused as error:
            self._refuse_request(connection, error)
            return
        if request is None:
            self._close(connection)
        else:
            self._hand_on(connection, request)

    def _refuse_request(self, connection: Connection, error: Refused) -> None:
        self._send(connection, refusal(error).data, keep=False, lingers=True)

    def _look(self, now: float) -> None:
        """Refuse slow requests, close idle connections at the end, and resume accepting after a failure."""
        for connection in self._open.all():
            self._guarded(connection, self._look_at, now)
        if self._idle_age is not None:
            age, self._idle_age = self._idle_age, None
            for connection in self._open.idle(age):
                self._close(connection)
        self._watch_listener()

    def _look_at(self, connection: Connection, now: float) -> None:
        """End what takes too long. :raises OSError: the connection is to be closed."""
        if connection.busy:
            return
        if connection.out is not None:
            waited, connection.out_since = now - connection.out_since, now
            connection.pace.count(0, waited)
        elif connection.lingers:
            if now > connection.lingers:
                self._close(connection)
        elif now >= connection.reader.expires():
            self._give_up(connection, late=True)

    # -- the pool --

    def _serve(self, connection: Connection, request: Request) -> None:
        try:
            connections.make_ready(connection, request, self._rules)
            answer = connections.run(self._app, request, lambda: self._draining)
            unread = connections.is_unread(request)
            if answer.chunks is None and not request.streamed:
                self._send(connection, answer.data, answer.keep, unread)
                return
            with closing(answer):
                keep = connections.send_streamed(connection, request, answer, self._rules)
            connection.socket.setblocking(False)
            self._send(connection, b'', keep, unread)
        except OSError as error:
            LOG.debug('a connection of %s broke: %s', connection.address, error)
            self._close(connection)
        except BaseException:  # the thread has other requests to serve, whatever a stream raises
            LOG.exception('a connection of %s broke', connection.address)
            self._close(connection)

    def _send(self, connection: Connection, data: bytes, keep: bool, lingers: bool) -> None:
        """Send without blocking; the watching thread sends the rest. :raises OSError: the connection is broken."""
        connection.keep, connection.unread = keep, lingers
        sent = 0
        if data:
            try:
                sent = connection.socket.send(data)
            except BlockingIOError:
                sent = 0
        if sent == len(data):
            self._finish(connection)
            return
        connection.out, connection.out_since = memoryview(data)[sent:], time.monotonic()
        connection.pace = connections.pace_of(connection, self._rules.grace, self._rules.least_rate)
        connection.busy = False
        self._arm(connection, _OUT)

    def _send_more(self, connection: Connection) -> None:
        assert connection.out is not None
        try:
            sent = connection.socket.send(connection.out)
        except BlockingIOError:
            sent = 0
        connection.pace.count(sent, 0.0)
        connection.out = connection.out[sent:]
        if connection.out:
            self._arm(connection, _OUT)
            return
        connection.out = None
        self._finish(connection)

    def _finish(self, connection: Connection) -> None:
        """Wait for the next request of a connection, or end it."""
        if not connection.keep:
            if connection.unread or connection.has_more():
                connection.lingers = time.monotonic() + LINGER
                connections.shut(connection.socket, socket.SHUT_WR)
                connection.busy = False
                self._arm(connection, _IN)
            else:
                self._close(connection)
            return
        connection.reader.served(time.monotonic())
        again = bool(connection.reader.buffer)
        connection.busy = False  # from here on the watching thread may close it
        if again:
            self._again.append(connection)
            self._wake()
        else:
            self._arm(connection, _IN)

    def _arm(self, connection: Connection, events: int) -> None:
        """Let the watching thread know of the next event."""
        try:
            with self._open.lock:
                if not connection.closed:
                    self._epoll.modify(connection.number, events)
        except (OSError, ValueError):
            self._close(connection)

    def _close(self, connection: Connection) -> None:
        self._open.close(connection)  # epoll forgets what is closed

    def _wake(self) -> None:
        try:
            self._wake_out.send(b'x')
        except OSError:
            return
