"""Threads of ``http_threads`` for requests whose body or answer may be of any size."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from compute import concurrency
from compute.http.connection import Connection
from compute.http.reader import Request

_Work = tuple[Connection, Request]


class Streams:
    """Threads for streamed requests, at most so many at once; further requests wait."""

    def __init__(self, most: int, serve: Callable[[Connection, Request], None]) -> None:
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
