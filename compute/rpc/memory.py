"""The bus inside one process: kombu's in-memory transport, made to wait instead of poll.

As it comes, a consumer spins on its empty queue, because oslo.messaging sets the pause between two looks to zero. Here
a message rings the consumers of its queue and nobody else, so an idle process is idle and a message is there at once.
``install()`` puts it behind ``kombu+memory://``.
"""

from __future__ import annotations

import threading
import time
import weakref
from queue import Empty
from typing import Any

from kombu import transport as kombu_transports
from kombu.transport import memory

_waiting: dict[str, weakref.WeakSet[Any]] = {}
_lock = threading.Lock()


class Channel(memory.Channel):
    """Rings when a message is put, and notes who consumes what."""

    def _put(self, queue: str, message: Any, **options: Any) -> None:
        super()._put(queue, message, **options)
        _ring(queue)

    def _put_fanout(self, exchange: str, message: Any, routing_key: str | None = None, **options: Any) -> None:
        super()._put_fanout(exchange, message, routing_key=routing_key, **options)
        for queue in self._lookup(exchange, routing_key):
            _ring(queue)

    def basic_consume(self, queue: str, *args: Any, **options: Any) -> Any:
        """Begin to consume; what is in the queue already rings."""
        with _lock:
            _waiting.setdefault(queue, weakref.WeakSet()).add(self.connection)
        found = super().basic_consume(queue, *args, **options)
        self.connection.bell.set()
        return found


class Transport(memory.Transport):
    """Waits for its bell."""

    Channel = Channel

    def __init__(self, client: Any, **options: Any) -> None:
        self.bell = threading.Event()
        super().__init__(client, **options)

    @property
    def default_connection_params(self) -> dict[str, Any]:
        """Return that there is no host: with one, kombu warns of each connection that none was given."""
        return {'port': None, 'hostname': None}

    def drain_events(self, connection: Any, timeout: float | None = None, **options: Any) -> None:
        """Deliver one message. :raises socket.timeout: none came in time."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            self.bell.clear()
            try:
                self._next(timeout)
                self.bell.set()  # there may be more
                return
            except Empty:
                left = None if end is None else end - time.monotonic()
                if (left is not None and left <= 0) or not self.bell.wait(left):
                    raise TimeoutError from None

    def _next(self, timeout: float | None) -> None:
        """Deliver the next message of this transport's queues, in turn. :raises Empty: there is none."""
        assert self.cycle is not None
        self.cycle.get(self._deliver, timeout=timeout)


def _ring(queue: str) -> None:
    with _lock:
        transports = list(_waiting.get(queue, ()))
    for transport in transports:
        transport.bell.set()


def address(url: str) -> str:
    """Return a transport's address; in memory without heartbeats, which oslo.messaging would warn that it lacks."""
    if not url.startswith('kombu+memory:') or '?' in url:
        return url
    return f'{url}?heartbeat_timeout_threshold=0'


def install() -> None:
    """Use this transport for ``kombu+memory://`` in this process."""
    kombu_transports.TRANSPORT_ALIASES['memory'] = f'{__name__}:Transport'
