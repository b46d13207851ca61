"""Free virtual CPUs."""

from __future__ import annotations

from collections.abc import Sequence

from compute.scheduler.host_state import HostState
from compute.scheduler.request import Request
from compute.scheduler.weights.weight import Weight


class CpuWeight(Weight):
    """More free VCPUs are better."""

    option = 'cpu_weight_multiplier'

    def values(self, hosts: Sequence[HostState], request: Request) -> list[float]:
        return [host.vcpus_free for host in hosts]
