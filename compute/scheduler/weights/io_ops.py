"""Builds, copies and snapshots under way; the default multiplier is negative."""

from __future__ import annotations

from collections.abc import Sequence

from compute.scheduler.host_state import HostState
from compute.scheduler.request import Request
from compute.scheduler.weights.weight import Weight


class IoOpsWeight(Weight):
    """More work under way weighs more."""

    option = 'io_ops_weight_multiplier'

    def values(self, hosts: Sequence[HostState], request: Request) -> list[float]:
        return [host.io_ops for host in hosts]
