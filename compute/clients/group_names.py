"""Names of security groups: ports carry ids, clients of the Compute API expect names.

A name is an ornament: no request fails for it, and none waits long. While the service is silent one request in ten
seconds finds that out, and the others show what is known.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterable

from compute import exception
from compute.clients.network import Networks

LOG = logging.getLogger(__name__)
_MOST = 10000
_PATIENCE = 1.0
"""Seconds after which whoever knows nothing waits no longer for the one that asks."""


class GroupNames:
    """Looks names up and keeps them for ``age`` seconds, so that a list of servers does not ask each time.

    That a group is not there is kept as well. After a failure nobody asks for ``pause`` seconds.
    """

    def __init__(self, networks: Networks, age: float = 60.0, pause: float = 10.0) -> None:
        self._networks, self._age, self._pause = networks, age, pause
        self._known: dict[str, tuple[str | None, float]] = {}
        self._asks = threading.Lock()
        self._began, self._not_before = math.inf, 0.0

    def of(self, ids: Iterable[str]) -> dict[str, str]:
        """Return names by id. One that cannot be told, now or at all, is missing; an old name is better than none."""
        wanted = set(ids)
        if self._may_ask(wanted):
            try:
                if stale := self._stale(wanted):  # perhaps another has asked meanwhile
                    self._learn(stale)
            finally:
                self._began = math.inf
                self._asks.release()
        known = self._known
        return {key: name for key in wanted if key in known and (name := known[key][0]) is not None}

    def _stale(self, wanted: set[str]) -> list[str]:
        known, time_now = self._known, time.monotonic()
        if time_now < self._not_before:
            return []
        return [key for key in wanted if key not in known or known[key][1] < time_now]

    def _may_ask(self, wanted: set[str]) -> bool:
        """Take the turn to ask if there is something to ask for. Who has an old name does not wait for it."""
        stale = self._stale(wanted)
        if not stale or self._asks.acquire(blocking=False):
            return bool(stale)
        left = min(_PATIENCE, self._began + _PATIENCE - time.monotonic())  # it may not have begun yet
        return left > 0 and any(key not in self._known for key in stale) and self._asks.acquire(timeout=left)

    def _learn(self, ids: list[str]) -> None:
        self._began = time.monotonic()
        try:
            found = self._networks.groups_by_id(sorted(ids), soon=True)
        except exception.ComputeError as error:
            LOG.warning('names of %d security groups cannot be told now: %s', len(ids), error.message)
            self._not_before = time.monotonic() + self._pause
            return
        if len(self._known) > _MOST:
            self._known = {}
        until = time.monotonic() + self._age
        names = {key: self._known[key][0] if key in self._known else None for key in ids}
        names.update((group.id, group.name) for group in found)
        self._known.update((key, (name, until)) for key, name in names.items())
