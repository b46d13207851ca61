"""A host that had room in memory and refused the claim in the database is not asked twice for the same request."""

from __future__ import annotations

from collections.abc import Sequence

from compute.scheduler.filters.filter import Filter, number
from compute.scheduler.host_state import HostState
from compute.scheduler.request import Request


class LostClaimFilter(Filter):
    """Always the last; it cannot be configured."""

    hint = 'many servers are being placed at once; try again'

    def applies(self, request: Request) -> bool:
        return bool(request.lost)

    def check(self, host: HostState, request: Request) -> str | None:
        return 'was taken by another request in the same moment' if host.id in request.lost else None

    def summary(self, dropped: Sequence[HostState], request: Request) -> str:
        return number(len(dropped), 'was', 'were') + ' taken by other requests in the same moment'
