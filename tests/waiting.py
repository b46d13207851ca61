"""The only place where a test of the gate looks at a clock: it waits for a condition, and a bound ends what hangs.

A bound decides nothing but that a test hangs, so it is generous: a machine may be much slower than that of whoever
wrote the test. ``tools/lint.py measures`` refuses clocks and sleeps in all other files of the gate.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

LONG = 300.0
"""Seconds after which something hangs."""
PAUSE = 0.02


def wait_until(condition: Callable[[], Any], what: str, seconds: float = LONG) -> Any:
    """Return the first true result of a condition.

    :raises AssertionError: there is none after ``seconds``, or after ``LONG`` if that is more.
    """
    seconds = max(seconds, LONG)
    if result := comes_true(condition, seconds):
        return result
    raise AssertionError(f'{what} did not come within {seconds:.0f} s')


def comes_true(condition: Callable[[], Any], seconds: float) -> Any:
    """Return the first true result of a condition, or the last one after ``seconds``.

    Use it only where the test fails, and fails rightly, if the condition comes later.
    """
    end = time.monotonic() + seconds
    while not (result := condition()) and time.monotonic() < end:
        time.sleep(PAUSE)
    return result


def deadline(seconds: float = LONG) -> float:
    """Return a moment on the monotonic clock, for code under test that takes one."""
    return time.monotonic() + seconds


def elapse(seconds: float) -> None:
    """Let a fault last, where its length is a matter of the product's own times: a lease, a timeout.

    Nothing may be concluded from what did not happen meanwhile on a machine that is slow.
    """
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, 1.0))


class Timer:
    """Seconds since it was made, and what a block took: ``with Timer() as taken: ...; taken.seconds``.

    A test of the gate may log them. Only the endurance set asserts on them.
    """

    def __init__(self) -> None:
        self._begin = time.monotonic()
        self._end: float | None = None

    @property
    def seconds(self) -> float:
        """Return what the block took, or what has passed so far."""
        return (self._end or time.monotonic()) - self._begin

    def __enter__(self) -> Timer:
        self._begin = time.monotonic()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._end = time.monotonic()
