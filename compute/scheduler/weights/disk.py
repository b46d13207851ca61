"""Free disk."""

from __future__ import annotations

from collections.abc import Sequence

from compute.scheduler.host_state import HostState
from compute.scheduler.request import Request
from compute.scheduler.weights.weight import Weight


class DiskWeight(Weight):
    """More free disk is better."""

    option = 'disk_weight_multiplier'

    def values(self, hosts: Sequence[HostState], request: Request) -> list[float]:
        return [host.disk_gb_free for host in hosts]
