"""Free memory: spreads servers over hosts, or with a negative multiplier fills one after the other."""

from __future__ import annotations

from collections.abc import Sequence

from compute.scheduler.host_state import HostState
from compute.scheduler.request import Request
from compute.scheduler.weights.weight import Weight


class RamWeight(Weight):
    """More free memory is better."""

    option = 'ram_weight_multiplier'

    def values(self, hosts: Sequence[HostState], request: Request) -> list[float]:
        return [host.memory_mb_free for host in hosts]
