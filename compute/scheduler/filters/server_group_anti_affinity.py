"""Servers of an anti-affinity group run apart. The seat taken with the claim makes it sure; this saves vain tries."""

from __future__ import annotations

from collections.abc import Sequence

from compute.objects.server_group import ANTI_AFFINITY
from compute.scheduler.filters.filter import Filter, number
from compute.scheduler.host_state import HostState
from compute.scheduler.request import Request


class ServerGroupAntiAffinityFilter(Filter):
    """Passes hosts with fewer members of the group than the group's ``max_server_per_host`` (1 by default)."""

    hint = 'the group needs more hosts; soft-anti-affinity would only prefer different ones'

    def applies(self, request: Request) -> bool:
        return request.has_policy(ANTI_AFFINITY) and bool(request.members)

    def check(self, host: HostState, request: Request) -> str | None:
        count = request.members.get(host.host, 0)
        if count < request.seats:
            return None
        return f'has {number(count, "member", "members")} of the anti-affinity group, at most {request.seats} may be'

    def passing(self, hosts: Sequence[HostState], request: Request) -> list[HostState]:
        full = {name for name, count in request.members.items() if count >= request.seats}
        return [host for host in hosts if host.host not in full]

    def summary(self, dropped: Sequence[HostState], request: Request) -> str:
        return (f'{number(len(dropped), "has", "have")} servers of the anti-affinity group already '
                f'(at most {request.seats} on each)')
