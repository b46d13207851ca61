"""One lock per key, which exists as long as somebody holds it or waits for it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator


class Turns:
    """Counts the users of each lock. The last user removes the lock, so the number of locks is bounded."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._users: dict[str, int] = {}

    def __len__(self) -> int:
        """Return the number of keys in use."""
        return len(self._locks)

    @contextlib.contextmanager
    def of(self, key: str) -> Iterator[threading.Lock]:
        """Give the lock of a key. The caller acquires it inside the block; all callers of that time get the same one.
        """
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
            self._users[key] = self._users.get(key, 0) + 1
        try:
            yield lock
        finally:
            with self._guard:
                self._users[key] -= 1
                if not self._users[key]:
                    del self._users[key], self._locks[key]
