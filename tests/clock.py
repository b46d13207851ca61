"""A clock that a test sets: put it in the place of ``time`` in the module under test."""

from __future__ import annotations

import time
from typing import Any


class Clock:
    """The module ``time`` with clocks that stand still until ``advance``; everything else is the real one."""

    def __init__(self) -> None:
        self.now, self.wall = 1000.0, time.time()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        self.wall += seconds

    def monotonic(self) -> float:
        """Return the seconds of the monotonic clock."""
        return self.now

    def time(self) -> float:
        """Return the seconds since 1970."""
        return self.wall

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)
