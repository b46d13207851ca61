"""Names of security groups: ports carry ids, clients of the Compute API expect names."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable

from compute import exception
from compute.clients.network import Networks

LOG = logging.getLogger(__name__)
_MOST = 10000


class GroupNames:
    """Looks names up and keeps them for ``age`` seconds, so that a list of servers does not ask each time."""

    def __init__(self, networks: Networks, age: float = 60.0) -> None:
        self._networks, self._age = networks, age
        self._known: dict[str, tuple[str, float]] = {}

    def of(self, ids: Iterable[str]) -> dict[str, str]:
        """Return names by id. One that cannot be told, now or at all, is missing; an old name is better than none."""
        wanted, time_now = set(ids), time.monotonic()
        known = self._known
        if unknown := [key for key in wanted if key not in known or known[key][1] < time_now]:
            self._learn(unknown, time_now + self._age)
        return {key: known[key][0] for key in wanted if key in known}

    def _learn(self, ids: list[str], until: float) -> None:
        try:
            found = self._networks.groups_by_id(sorted(ids))
        except exception.ComputeError as error:
            LOG.warning('names of %d security groups cannot be told now: %s', len(ids), error.message)
            return
        if len(self._known) > _MOST:
            self._known.clear()
        self._known.update((group.id, (group.name, until)) for group in found)
