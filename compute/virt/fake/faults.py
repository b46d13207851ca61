"""Failures on demand, for tests: the next call of a method raises, or the whole hypervisor does not answer."""

from __future__ import annotations

import collections
import threading

from compute import exception


class Faults:
    """What shall go wrong. Safe to use from several threads."""

    def __init__(self) -> None:
        self._next: dict[str, collections.deque[Exception]] = {}
        self._lock = threading.Lock()
        self.down: str | None = None

    def add(self, method: str, error: Exception) -> None:
        """Queue an error: one call of ``method`` raises it."""
        with self._lock:
            self._next.setdefault(method, collections.deque()).append(error)

    def check(self, method: str) -> None:
        """Raise what was ordered for ``method``. :raises Unavailable: the fake was told to be down."""
        if self.down is not None:
            raise exception.Unavailable(f'the hypervisor does not answer: {self.down}', code='hypervisor_down')
        with self._lock:
            queue = self._next.get(method)
            error = queue.popleft() if queue else None
        if error is not None:
            raise error
