"""Durations of the parts of a task, for one log line."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator


class Laps:
    """Times parts in the order in which they run; ``str`` gives ``define 0.02 s, start 0.41 s``."""

    def __init__(self) -> None:
        self._laps: list[tuple[str, float]] = []

    @contextlib.contextmanager
    def lap(self, name: str) -> Iterator[None]:
        """Time what runs in the block, also when it fails."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._laps.append((name, time.monotonic() - began))

    def __str__(self) -> str:
        return ', '.join(f'{name} {seconds:.2f} s' for name, seconds in self._laps)
