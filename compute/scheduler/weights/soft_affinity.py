"""Servers of a soft-affinity group are placed together where that is possible."""

from __future__ import annotations

from collections.abc import Sequence

from compute.objects.server_group import SOFT_AFFINITY
from compute.scheduler.host_state import HostState
from compute.scheduler.request import Request
from compute.scheduler.weights.weight import Weight


class SoftAffinityWeight(Weight):
    """More members of the group are better."""

    option = 'soft_affinity_weight_multiplier'

    def applies(self, request: Request) -> bool:
        return request.has_policy(SOFT_AFFINITY)

    def values(self, hosts: Sequence[HostState], request: Request) -> list[float]:
        return [request.members.get(host.host, 0) for host in hosts]
