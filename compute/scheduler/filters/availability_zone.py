"""A server runs in the availability zone that was asked for."""

from __future__ import annotations

from collections.abc import Sequence

from compute.scheduler.filters.filter import Filter, number
from compute.scheduler.host_state import HostState
from compute.scheduler.request import Request


class AvailabilityZoneFilter(Filter):
    """Passes hosts of the requested zone."""

    hint = 'choose another availability zone, or none'

    def applies(self, request: Request) -> bool:
        return request.availability_zone is not None

    def check(self, host: HostState, request: Request) -> str | None:
        if host.availability_zone == request.availability_zone:
            return None
        return f'is in availability zone {host.availability_zone}, not in {request.availability_zone}'

    def summary(self, dropped: Sequence[HostState], request: Request) -> str:
        return number(len(dropped), 'is in another availability zone', 'are in another availability zone')
