"""A build that failed is not tried again on the same host."""

from __future__ import annotations

from collections.abc import Sequence

from compute.scheduler.filters.filter import Filter, number
from compute.scheduler.host_state import HostState
from compute.scheduler.request import Request


class RetryFilter(Filter):
    """Passes hosts on which this server was not tried yet."""

    hint = 'see the events of the server\'s create action for what went wrong on each host'

    def applies(self, request: Request) -> bool:
        return bool(request.excluded)

    def check(self, host: HostState, request: Request) -> str | None:
        return 'was tried already' if host.host in request.excluded else None

    def summary(self, dropped: Sequence[HostState], request: Request) -> str:
        return number(len(dropped), 'was tried already', 'were tried already')
