"""What a host says of itself: one that is degraded (a slow disk, a neighbour that it cannot reach) comes after the
healthy ones, one whose hypervisor does not answer last."""

from __future__ import annotations

from collections.abc import Sequence

from compute.scheduler.host_state import HostState
from compute.scheduler.request import Request
from compute.scheduler.weights.weight import Weight


class HealthWeight(Weight):
    """Healthier is better."""

    option = 'health_weight_multiplier'

    def values(self, hosts: Sequence[HostState], request: Request) -> list[float]:
        return [-host.sickness for host in hosts]
