"""What a worker waits for before it acts in place of another process of the same host.

A process that acted as this host before may be paused. Registration fences its reports, but not its hands: while it
trusts its last confirmation (``job.trust_of``) it may still make a port or start a guest when it wakes. A worker that
acts at the same time cannot see that, and nobody would clean it up. So it waits until the other process has ended, or
until its trust is surely over.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from compute.worker.host_lock import HostLock
from compute.worker.job import trust_of

LOG = logging.getLogger(__name__)
MARGIN = 5.0
"""Seconds that a call may take which was begun while the process was still trusted."""
_LOOK = 0.2


class Takeover:
    """The start of one host's worker, as far as another process may still act.

    ``wait``: lets seconds pass; returns True when this process is to stop. ``waits``: whether no operation may begin.
    """

    def __init__(self, lock: HostLock, host: str, wait: Callable[[float], bool]) -> None:
        self._lock, self._host, self._wait = lock, host, wait
        self._protected, self.waits = True, False
        self._other: str | None = None
        self._end = float('inf')

    def begin(self) -> bool:
        """Take the host's lock; call it before registration. Return whether another process lives."""
        if self.look():
            return False
        self._other, self.waits = self._lock.holder() or 'unknown', True
        LOG.warning('host %s: process %s acts as this host too and holds %s: it is paused, hangs, or a worker was '
                    'started twice. This process replaces it, and begins no operation until that one has ended, or '
                    'must have noticed', self._host, self._other, self._lock.path)
        return True

    def registered(self, lease: float) -> None:
        """Note that the ledger refuses the other process from now on. ``lease``: seconds, as the ledger grants it."""
        self._end = time.monotonic() + trust_of(lease) + MARGIN

    def wait(self) -> None:
        """Return when the other process has ended, when it cannot trust any confirmation, or when we are to stop."""
        while self.waits and not self.look() and (left := self._end - time.monotonic()) > 0:
            if self._wait(min(_LOOK, left)):
                return
        self.waits = False
        if self._other is not None:
            LOG.warning('host %s: process %s still lives and was replaced; end it', self._host, self._other)

    def look(self) -> bool:
        """Take the lock if it is free: our own successor has to find it held. Return whether no other process lives."""
        if not self._protected:
            return True
        try:
            free = self._lock.take()
        except OSError as error:
            LOG.warning('host %s: whether another process acts as this host is not known, %s cannot be locked: %s',
                        self._host, self._lock.path, error)
            self._protected, free = False, True
        if free and self._other is not None:
            LOG.info('host %s: process %s has ended', self._host, self._other)
            self._other = None
        return free

    @property
    def problem(self) -> str:
        """What is to be said of the other process; empty when there is none."""
        return f'process {self._other}, which this one replaces, still lives' if self._other is not None else ''
