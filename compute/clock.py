"""Notices that the wall clock of this machine was set, or that the machine slept.

Heartbeats, leases and deadlines are times of the wall clock, so that several daemons can compare them. When that clock
is set forward by ten minutes, every heartbeat seems ten minutes old at once. Such decisions therefore check here
whether the clock has been steady for long enough, by the monotonic clock, which is never set.
"""

from __future__ import annotations

import datetime
import logging
import threading
import time
from collections import deque
from collections.abc import Callable

LOG = logging.getLogger(__name__)
TOLERANCE = 5.0
"""Seconds by which the two clocks may part between two looks without being noticed: NTP corrects less than that."""


class ClockWatch:
    """Compares the clocks at each question, so it must be asked regularly: ``look`` from a periodic task."""

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._lock = threading.Lock()
        self._apart = wall() - monotonic()
        self._set_at = float('-inf')
        self._jumps: deque[tuple[float, float]] = deque(maxlen=100)

    def look(self) -> float:
        """Return the seconds by which the wall clock was set since the last look; 0.0 when it was not."""
        with self._lock:
            at, monotonic = self._wall(), self._monotonic()
            jump = (at - monotonic) - self._apart
            self._apart = at - monotonic
            if abs(jump) <= TOLERANCE:
                return 0.0
            self._set_at = monotonic
            self._jumps.append((at - jump, jump))
        LOG.warning('the clock of this machine was set by %+.0f s, or the machine slept: nothing counts as down or '
                    'abandoned until heartbeats and leases are renewed', jump)
        return jump

    def was_steady(self, seconds: float) -> bool:
        """Return whether the wall clock was not set within the last ``seconds``."""
        self.look()
        return self._monotonic() - self._set_at >= seconds

    def set_forward_since(self, moment: datetime.datetime) -> datetime.timedelta:
        """Return by how much the wall clock was set forward after ``moment`` (UTC, without a zone)."""
        self.look()
        since = moment.replace(tzinfo=datetime.UTC).timestamp()
        with self._lock:
            seconds = sum(jump for before, jump in self._jumps if jump > 0 and before >= since)
        return datetime.timedelta(seconds=seconds)
