"""A user may ask for a server on another host than some of its servers (scheduler hint ``different_host``)."""

from __future__ import annotations

from collections.abc import Sequence

from compute.scheduler.filters.filter import Filter, number
from compute.scheduler.host_state import HostState
from compute.scheduler.request import Request


class DifferentHostFilter(Filter):
    """Passes the hosts that have none of the servers that the hint names."""

    hint = 'name fewer servers in different_host, or add hosts'

    def applies(self, request: Request) -> bool:
        return bool(request.different_hosts)

    def check(self, host: HostState, request: Request) -> str | None:
        return 'has a server that different_host names' if host.host in request.different_hosts else None

    def summary(self, dropped: Sequence[HostState], request: Request) -> str:
        return number(len(dropped), 'has', 'have') + ' a server that different_host names'
