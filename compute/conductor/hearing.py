"""Whether this conductor could have heard the hosts. While broker or database were away, silence proves nothing.

Without this, an outage that is longer than ``[conductor] service_down_time`` would make every host look dead when it
ends, and all that was under way would be failed or built a second time. A host counts as dead only when it was silent
for that long while somebody listened. A wall clock that was set does the same to the age of every heartbeat.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from compute.clock import ClockWatch


class Hearing:
    """Told at each check that messages come through and the store answers; notices by itself when it is not told.

    It begins deaf: a conductor that starts knows nothing of what was before.
    """

    def __init__(self, down_time: float, clock: Callable[[], float] = time.monotonic,
                 watch: ClockWatch | None = None) -> None:
        self._down_time, self._clock, self._watch = down_time, clock, watch or ClockWatch()
        self._since = self._last = clock()

    def note(self) -> None:
        """Take in that all works now. After a gap in which hosts may have spoken in vain, listening begins anew."""
        now = self._clock()
        if now - self._last > self._down_time / 2:
            self._since = now
        self._last = now

    def can_judge(self) -> bool:
        """Tell whether a host that was not heard for ``down_time`` is down."""
        now = self._clock()
        if not self._watch.was_steady(self._down_time):
            return False
        return now - self._last <= self._down_time / 2 and now - self._since >= self._down_time
