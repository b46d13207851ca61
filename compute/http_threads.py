"""HTTP on native threads: cheroot, with a listening socket that it is given and an end in steps.

See ``http_server.Backend``. What cheroot lacks for that is done in the subclass below, which knows two of its inner
parts: the connection manager and its selector.
"""

from __future__ import annotations

import logging
import select
import socket
from collections.abc import Callable
from typing import Any

from cheroot import wsgi

from compute import concurrency

LOG = logging.getLogger(__name__)
_IDLE_TIMEOUT = 120
_BACKLOG = 512
_MOST_THREADS = 30


class ThreadedHttp:
    """A bounded pool of threads, and one thread that watches connections between requests."""

    def __init__(self, app: Callable[..., Any], listener: socket.socket, size: int) -> None:
        self._server = Server(app, listener, size)

    def start(self) -> None:
        """Begin to accept."""
        self._server.prepare()
        # Another process may take the connection that woke this one: accept must not wait for the next.
        self._server.socket.setblocking(False)
        concurrency.spawn(self._server.serve, name='http')

    def refuse(self, empty: bool) -> None:
        """Accept no more; with ``empty`` after all that wait already."""
        self._server.refuse(empty)

    def last_answers(self) -> None:
        """Let no connection be kept."""
        self._server.draining = True

    def busy(self) -> int:
        """Return how many requests run or wait for a thread."""
        return self._server.busy()

    def connections(self) -> int:
        """Return how many connections are open: between requests, and in threads."""
        return self._server.open_connections()

    def close(self) -> None:
        """Close what is idle and end the threads; one that is stuck is left."""
        self._server.socket = None  # so that it does not connect to the port to wake itself
        concurrency.spawn(self._server.stop, name='http-stop').join(3)


class Server(wsgi.Server):  # type: ignore[misc]
    """Serves a socket that is bound already."""

    def __init__(self, app: Callable[..., Any], listener: socket.socket, size: int) -> None:
        super().__init__(listener.getsockname()[:2], app, numthreads=min(size, _MOST_THREADS), max=size,
                         timeout=_IDLE_TIMEOUT, request_queue_size=_BACKLOG, shutdown_timeout=1)
        self._given, self.draining, self._refuses = listener, False, False

    def bind(self, family: int, type: int, proto: int = 0) -> Any:
        """Take the socket as bound."""
        self.socket = self._given
        return self._given

    @property
    def can_add_keepalive_connection(self) -> bool:
        """Tell whether a connection may stay open after an answer."""
        return not self.draining and bool(super().can_add_keepalive_connection)

    def process_conn(self, conn: Any) -> None:
        """Give a connection to a thread: a new one only when something has come, or it would hold the thread."""
        if not hasattr(conn, 'is_known'):
            conn.is_known = True
            if not _readable(conn.socket):
                self._manager.put(conn)
                return
        super().process_conn(conn)

    def busy(self) -> int:
        """Return how many connections threads have or wait for one: something has come on each."""
        return int(self.requests.qsize) + sum(1 for each in self.requests._threads if each.conn is not None)

    def open_connections(self) -> int:
        """Return how many connections are open."""
        return len(self._manager._selector) - (not self._refuses) + self.busy()

    def refuse(self, empty: bool) -> None:
        """Accept no more; with ``empty`` after all that wait already. The loop goes on for open connections."""
        self._manager._selector.unregister(self.socket.fileno())
        self._refuses = True
        while empty and _readable(self.socket):
            connection = self._manager._from_server_socket(self.socket)
            if connection is not None:
                self.process_conn(connection)

    def error_log(self, msg: str = '', level: int = logging.INFO, traceback: bool = False) -> None:
        """Say what cheroot says in our log; that a client went away is of no interest."""
        LOG.log(level if level > logging.WARNING else logging.DEBUG, '%s', msg, exc_info=traceback)

    @property
    def _manager(self) -> Any:
        return self._connections  # type: ignore[attr-defined]


def _readable(sock: Any) -> bool:
    poller = select.poll()  # not select: there may be more than a thousand descriptors
    poller.register(sock, select.POLLIN)
    return bool(poller.poll(0))
