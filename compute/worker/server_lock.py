"""Locks of servers: no two operations on one server run on a host at once."""

from __future__ import annotations

import contextlib
import threading
from typing import Any


class ServerLock(contextlib.AbstractContextManager[None]):
    """A lock by uuid that exists only while somebody holds or wants it."""

    def __init__(self, locks: dict[str, list[Any]], guard: Any, uuid: str) -> None:
        self._locks, self._guard, self._uuid = locks, guard, uuid

    def __enter__(self) -> None:
        with self._guard:
            entry = self._locks.setdefault(self._uuid, [threading.Lock(), 0])
            entry[1] += 1
        entry[0].acquire()

    def __exit__(self, *exc_info: object) -> None:
        with self._guard:
            entry = self._locks[self._uuid]
            entry[1] -= 1
            if not entry[1]:
                del self._locks[self._uuid]
        entry[0].release()
