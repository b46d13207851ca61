"""A limit in bytes per second for all transfers of a host together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_BURST = 0.1
"""Seconds of unused rate that can be caught up on: a wait is rarely as short as it was meant to be."""


class Throttle:
    """Gives each caller its turn, in the order in which they ask.

    :param rate: returns the limit, 0 for none; it is asked each time.
    """

    def __init__(self, rate: Callable[[], float]) -> None:
        self._rate = rate
        self._lock = threading.Lock()
        self._free_at = float('-inf')

    def take(self, count: int, wait: Callable[[float], object] = time.sleep) -> None:
        """Return when so many bytes may pass. ``wait`` is called with the seconds, if any, and may end earlier."""
        if (seconds := self._reserve(count)) > 0:
            wait(seconds)

    def _reserve(self, count: int) -> float:
        rate = self._rate()
        if rate <= 0:
            return 0.0
        with self._lock:
            now = time.monotonic()
            begin = max(self._free_at, now - _BURST)
            self._free_at = begin + count / rate
            return begin - now
