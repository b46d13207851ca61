"""A user may ask for a server on the host of another of its servers (scheduler hint ``same_host``)."""

from __future__ import annotations

from collections.abc import Sequence

from compute.scheduler.filters.filter import Filter, number
from compute.scheduler.host_state import HostState
from compute.scheduler.request import Request


class SameHostFilter(Filter):
    """Passes the hosts of the servers that the hint names; no host while they have none."""

    hint = 'see whether the servers that same_host names are on hosts, and whether there is room'

    def applies(self, request: Request) -> bool:
        return request.same_hosts is not None

    def check(self, host: HostState, request: Request) -> str | None:
        if request.same_hosts is None or host.host in request.same_hosts:
            return None
        return 'has none of the servers that same_host names'

    def summary(self, dropped: Sequence[HostState], request: Request) -> str:
        return number(len(dropped), 'has', 'have') + ' none of the servers that same_host names'
