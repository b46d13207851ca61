"""HTTP on green threads: one for each connection, which reads requests at the client's pace and holds a slot only while
the application runs.

It is written with the standard library's sockets and threads, which ``concurrency.patch`` made green.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from contextlib import AbstractContextManager, closing, suppress
from typing import Any

from compute import concurrency
from compute.http import connection as connections
from compute.http.connection import LINGER, Connection, Connections
from compute.http.exchange import Wsgi, refusal
from compute.http.head import Refused
from compute.http.reader import Request
from compute.http.rules import Rules
from compute.http.stream import Pace, discard, send

LOG = logging.getLogger(__name__)
_BACKLOG = 512
_LOOK = 0.2  # seconds between two looks of the thread that accepts whether it is to end
_PIECE = 65536


class GreenHttp:
    """Serves a WSGI application on a listening socket; see ``http_server.Backend``.

    ``size`` is the number of slots, or the slots themselves, which several servers then share.
    """

    def __init__(self, app: Wsgi, listener: Any, size: int | threading.Semaphore, rules: Rules) -> None:
        self._app, self._listener, self._rules = app, listener, rules
        self._port = listener.getsockname()[1]
        self._open = Connections(rules)
        self._slots = threading.Semaphore(size) if isinstance(size, int) else size
        self._streams = {download: threading.Semaphore(rules.streams) for download in (False, True)}
        self._draining = self._refuses = False
        self._accepted_last = threading.Event()
        self._accepted_last.set()

    def start(self) -> None:
        """Begin to accept."""
        self._accepted_last.clear()
        concurrency.spawn(self._accept, name='http')

    def refuse(self, empty: bool) -> None:
        """Accept no more; with ``empty`` after all that wait already."""
        self._refuses = True
        self._accepted_last.wait(5)
        until = time.monotonic() + 1
        self._listener.settimeout(0)
        for _ in range(_BACKLOG if empty else 0):
            try:
                sock, address = self._listener.accept()
            except (BlockingIOError, TimeoutError):
                return
            except OSError:  # no descriptor is left, say
                if time.monotonic() > until:
                    return
                time.sleep(0.05)
                continue
            self._begin(sock, address)

    def last_answers(self) -> None:
        """Make every further answer the last one of its connection."""
        self._draining = True

    def busy(self) -> int:
        """Return how many requests run, or have come and were not read yet: this process may have had no time."""
        return self._open.busy()

    def connections(self) -> int:
        """Return how many connections are open."""
        return len(self._open)

    def close_idle(self, age: float) -> None:
        """Close connections on which nothing runs and nothing has come, and which were not used for ``age`` seconds."""
        for connection in self._open.idle(age):
            connections.shut(connection.socket, socket.SHUT_RDWR)

    def end(self) -> None:
        """Do nothing: the green thread of a connection ends with it."""

    def _accept(self) -> None:
        try:
            while not self._refuses:
                self._listener.settimeout(_LOOK)
                try:
                    sock, address = self._listener.accept()
                except (TimeoutError, BlockingIOError):
                    continue
                except OSError as error:
                    self._open.failed(error)
                    time.sleep(0.1)
                    continue
                try:
                    self._begin(sock, address)
                except Exception:  # one connection is lost, not the listener
                    LOG.exception('a connection of %s could not be served', address)
                    sock.close()
                time.sleep(0)  # accept switches to no other green thread while connections wait
        finally:
            self._accepted_last.set()

    def _begin(self, sock: Any, address: Any) -> None:
        connection = self._open.open(sock, address, self._port)
        if connection is None:
            return
        try:
            concurrency.spawn_light(self._serve, connection)
        except BaseException:  # nobody else would ever take it from those that its client has
            self._open.close(connection)
            raise

    def _serve(self, connection: Connection) -> None:
        try:
            while (request := self._next(connection)) is not None:
                connection.busy = True
                keep = self._exchange(connection, request)
                connection.reader.served(time.monotonic())
                connection.busy = False
                if not keep:
                    if connections.is_unread(request) or connection.has_more():
                        self._linger(connection)
                    return
                time.sleep(0)  # nor do recv and send, while the client has sent more and takes its answers
        except Refused as error:
            with suppress(OSError):  # the client may be gone
                send(connection.socket, refusal(error).data, self._pace(connection))
                self._linger(connection)
        except OSError as error:
            LOG.debug('a connection of %s broke: %s', connection.address, error)
        except BaseException:  # whatever a stream raises
            LOG.exception('a connection of %s broke', connection.address)
        finally:
            self._open.close(connection)

    def _next(self, connection: Connection) -> Request | None:
        """Wait for a whole request; None when the client sends no more. :raises Refused: it is not served."""
        reader, sock = connection.reader, connection.socket
        while (request := reader.take(time.monotonic())) is None:
            if reader.interim:
                connections.permit(connection)
            left = reader.expires() - time.monotonic()
            if left <= 0:
                return reader.give_up(True, time.monotonic())
            sock.settimeout(left)
            try:
                data = sock.recv(_PIECE)
            except TimeoutError:
                continue
            if not data:
                return reader.give_up(False, time.monotonic())
            reader.feed(data, time.monotonic())
        return request

    def _exchange(self, connection: Connection, request: Request) -> bool:
        """Answer a request; return whether the connection is kept. :raises OSError: it is broken."""
        connections.make_ready(connection, request, self._rules)
        with self._pool(request):
            answer = connections.run(self._app, request, lambda: self._draining)
            if answer.chunks is not None:
                with closing(answer):
                    return connections.send_streamed(connection, request, answer, self._rules)
        send(connection.socket, answer.data, self._pace(connection))
        return answer.keep

    def _pace(self, connection: Connection) -> Pace:
        return connections.pace_of(connection, self._rules.grace, self._rules.least_rate)

    def _pool(self, request: Request) -> AbstractContextManager[Any]:
        return self._streams[connections.is_download(request)] if request.streamed else self._slots

    def _linger(self, connection: Connection) -> None:
        connection.lingers = time.monotonic() + LINGER
        connections.shut(connection.socket, socket.SHUT_WR)
        discard(connection.socket, connection.lingers)
