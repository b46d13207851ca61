"""HTTP on native threads: cheroot, with a listening socket that it is given and an end in steps.

See ``http_server.Backend``. What cheroot lacks for that is done in the subclasses below, which know two of its inner
parts: the connection manager and its selector.
"""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from cheroot import connections, wsgi
from cheroot.server import HTTPConnection

from compute import concurrency

LOG = logging.getLogger(__name__)
_IDLE_TIMEOUT = 120
_BACKLOG = 512
_MOST_THREADS = 30
_MOST_KEPT = 4000
_LARGEST_HEADERS = 65536
_LOOK = 0.05  # seconds between two looks for what is idle, at the end


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
        """Return how many requests run, wait for a thread, or have come and were not read yet."""
        return self._server.busy()

    def connections(self) -> int:
        """Return how many connections are open: between requests, and in threads."""
        return len(self._server.open)

    def close_idle(self, age: float) -> None:
        """Let the loop close connections on which nothing runs and nothing has come for ``age`` seconds."""
        self._server.idle_age = age

    def end(self) -> None:
        """End the threads; one that is stuck is left, and not waited for."""
        patience = 0.1 if self.busy() else 3
        self._server.socket = None  # so that it does not connect to the port to wake itself
        concurrency.spawn(self._server.stop, name='http-stop').join(patience)


class Connection(HTTPConnection):  # type: ignore[misc]
    """A connection that the server knows of until it is closed."""

    def close(self) -> None:
        """Close it."""
        try:
            super().close()
        finally:
            self.server.open.discard(self)


class Connections(connections.ConnectionManager):  # type: ignore[misc]
    """The loop that accepts and watches what is idle. What it accepts is known to the server at once."""

    _selector: Any

    def __init__(self, server: Any) -> None:
        super().__init__(server)
        self._select = self._selector.select
        self._selector.select = self.select

    def select(self, timeout: float | None = None) -> Any:
        """Wait for requests. At the end what is idle is closed first: here, as only this thread may forget one."""
        if self.server.idle_age is not None:
            for descriptor, connection in list(self._selector.connections):
                if (connection is not self.server and connection.last_used < time.time() - self.server.idle_age
                        and not _readable(connection.socket)):
                    self._selector.unregister(descriptor)
                    connection.close()
        return self._select(timeout=_LOOK if self.server.draining else timeout)

    def _from_server_socket(self, server_socket: Any) -> Any:
        with self.server.door:
            return None if self.server.refuses else self.accepted(server_socket)

    def accepted(self, server_socket: Any) -> Any:
        """Return a connection that waits, or None."""
        connection = super()._from_server_socket(server_socket)  # type: ignore[misc]
        if connection is not None:
            self.server.open.add(connection)
        return connection

    def idle(self) -> set[Any]:
        """Return the connections on which nothing came since the last answer."""
        return {each for _, each in list(self._selector.connections)
                if each is not self.server and not _readable(each.socket)}

    def forget_listener(self) -> None:
        """Wait for no new connections."""
        self._selector.unregister(self.server.socket.fileno())


class Server(wsgi.Server):  # type: ignore[misc]
    """Serves a socket that is bound already."""

    _connections: Any
    ConnectionClass = Connection
    keep_alive_conn_limit = _MOST_KEPT
    max_request_header_size = _LARGEST_HEADERS

    def __init__(self, app: Callable[..., Any], listener: socket.socket, size: int) -> None:
        super().__init__(listener.getsockname()[:2], app, numthreads=min(size, _MOST_THREADS), max=size,
                         timeout=_IDLE_TIMEOUT, request_queue_size=_BACKLOG, shutdown_timeout=1)
        self._given = listener
        self.draining = self.refuses = False
        self.idle_age: float | None = None
        self.open: set[Connection] = set()
        # Held while a connection is taken: nobody sees the moment when it is neither the kernel's nor ours.
        self.door = threading.Lock()

    def bind(self, family: int, type: int, proto: int = 0) -> Any:
        """Take the socket as bound."""
        self.socket = self._given
        return self._given

    def prepare(self) -> None:
        """Make everything ready to accept."""
        super().prepare()
        self._connections._selector.close()
        self._connections = Connections(self)

    @property
    def can_add_keepalive_connection(self) -> bool:
        """Tell whether a connection may stay open after an answer."""
        return not self.draining and bool(super().can_add_keepalive_connection)

    def process_conn(self, conn: Any) -> None:
        """Give a connection to a thread: a new one only when something has come, or it would hold the thread."""
        if not hasattr(conn, 'is_known'):
            conn.is_known = True
            if not _readable(conn.socket):
                self._connections.put(conn)
                return
        super().process_conn(conn)

    def busy(self) -> int:
        """Return on how many connections something has come that is not answered."""
        return len(set(self.open) - self._connections.idle())

    def refuse(self, empty: bool) -> None:
        """Accept no more; with ``empty`` after all that wait already. The loop goes on for open connections."""
        with self.door:
            self.refuses = True
        self._connections.forget_listener()
        until = time.monotonic() + 1
        for _ in range(_BACKLOG if empty else 0):
            if not _readable(self.socket):
                return
            try:
                connection = self._connections.accepted(self.socket)
            except OSError:  # no descriptor is left, say
                if time.monotonic() > until:
                    return
                time.sleep(0.05)
                continue
            if connection is not None:
                self.process_conn(connection)

    def error_log(self, msg: str = '', level: int = logging.INFO, traceback: bool = False) -> None:
        """Say what cheroot says in our log; that a client went away is of no interest."""
        LOG.log(level if level > logging.WARNING else logging.DEBUG, '%s', msg, exc_info=traceback)


def _readable(sock: Any) -> bool:
    """Tell whether something came, or the other end closed; False for what we closed ourselves."""
    poller = select.poll()  # not select: there may be more than a thousand descriptors
    try:
        poller.register(sock, select.POLLIN)
    except ValueError:
        return False
    return bool(poller.poll(0))
