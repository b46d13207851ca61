"""Servers of an affinity group run together. The claim checks it again under the group's lock."""

from __future__ import annotations

from collections.abc import Sequence

from compute.objects.server_group import AFFINITY
from compute.scheduler.filters.filter import Filter, number
from compute.scheduler.host_state import HostState
from compute.scheduler.request import Request


class ServerGroupAffinityFilter(Filter):
    """Passes the host where the group's members are; every host while there are none."""

    hint = 'the host of the affinity group has no room left; delete servers there or use soft-affinity'

    def applies(self, request: Request) -> bool:
        return request.has_policy(AFFINITY) and bool(request.members)

    def check(self, host: HostState, request: Request) -> str | None:
        if host.host in request.members:
            return None
        return f'is not {", ".join(sorted(request.members))}, where the affinity group is'

    def summary(self, dropped: Sequence[HostState], request: Request) -> str:
        return number(len(dropped), 'is not where the affinity group is', 'are not where the affinity group is')
