"""The native threads that serve requests: a bounded number of each kind."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable

from compute import concurrency
from compute.http.connection import Connection
from compute.http.reader import Request

Serve = Callable[[Connection, Request], None]
_Work = tuple[Connection, Request]


class Workers:
    """Threads that serve complete requests, of one server or of several."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._work: queue.SimpleQueue[tuple[Serve, _Work] | None] = queue.SimpleQueue()

    def start(self) -> None:
        """Start the threads."""
        for number in range(self._size):
            concurrency.spawn(self._run, name=f'http-{number}')

    def submit(self, serve: Serve, connection: Connection, request: Request) -> None:
        """Serve a request as soon as a thread is free. No more wait than connections are open."""
        self._work.put((serve, (connection, request)))

    def end(self) -> None:
        """End the threads; one that is stuck is left, and not waited for."""
        for _ in range(self._size):
            self._work.put(None)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            serve, (connection, request) = work
            serve(connection, request)


class Streams:
    """Threads for streamed requests, at most so many at once; further requests wait."""

    def __init__(self, most: int, serve: Serve) -> None:
        self._most, self._serve = most, serve
        self._running = 0
        self._waiting: deque[_Work] = deque()
        self._lock = threading.Lock()

    def submit(self, connection: Connection, request: Request) -> None:
        """Serve a request as soon as a thread is free."""
        with self._lock:
            if self._running >= self._most:
                self._waiting.append((connection, request))
                return
            self._running += 1
        try:
            concurrency.spawn(self._run, (connection, request), name='http-stream')
        except RuntimeError:  # the system gives no more threads
            with self._lock:
                self._running -= 1
            raise

    def _run(self, work: _Work | None) -> None:
        while work is not None:
            self._serve(*work)
            with self._lock:
                work = self._waiting.popleft() if self._waiting else None
                self._running -= work is None
