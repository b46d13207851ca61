"""Builds that failed since the last that succeeded: a host that spoils servers comes last, but it comes."""

from __future__ import annotations

from collections.abc import Sequence

from compute.scheduler.host_state import HostState
from compute.scheduler.request import Request
from compute.scheduler.weights.weight import Weight


class BuildFailureWeight(Weight):
    """Fewer failures are better."""

    option = 'build_failure_weight_multiplier'

    def values(self, hosts: Sequence[HostState], request: Request) -> list[float]:
        return [-host.failed_builds for host in hosts]
