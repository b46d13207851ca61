"""How late timers fire: the one sign of a call that holds up every thread of the process, green or native.

The watchdog of systemd ends a process that is held up for ever; this tells of one that is held up for a moment.
"""

from __future__ import annotations

import logging
import threading
import time

from compute import metrics

LOG = logging.getLogger(__name__)


class Lag:
    """How late timers fired lately: the worst of the last minute, so that whoever looks now and then misses nothing."""

    WINDOW = 30.0

    def __init__(self) -> None:
        self.warn_after = 1.0
        self._worst = self._before = 0.0
        self._turned_at = time.monotonic()

    def note(self, lag: float) -> None:
        """Take one measurement in."""
        now = time.monotonic()
        if now - self._turned_at > self.WINDOW:
            self._before, self._worst, self._turned_at = self._worst, 0.0, now
        self._worst = max(self._worst, lag)

    def forget(self) -> None:
        """Begin anew: a start loads modules, which holds up everything and means nothing."""
        self._worst = self._before = 0.0

    def recent(self) -> float:
        """Return the worst of lately in seconds."""
        return max(self._worst, self._before)


LAG = Lag()


def watch(stop: threading.Event, warn_after: float = 1.0) -> None:
    """Watch for calls that block every green thread: log whenever a timer fires ``warn_after`` seconds late.

    Every measurement goes to ``LAG``, and to the metrics.
    """
    LAG.warn_after = warn_after
    while not stop.is_set():
        begin = time.monotonic()
        stop.wait(0.1)
        lag = max(0.0, time.monotonic() - begin - 0.1)
        LAG.note(lag)
        metrics.observe('compute_hub_lag_seconds', lag)
        if lag > warn_after:
            LOG.warning('the thread hub was blocked for %.1f s: a C call is not offloaded', lag)
