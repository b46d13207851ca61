"""Only hosts whose service is enabled and reports get servers."""

from __future__ import annotations

from collections.abc import Sequence

from compute.scheduler.filters.filter import Filter, number
from compute.scheduler.host_state import HostState
from compute.scheduler.request import Request


class ComputeFilter(Filter):
    """Passes hosts that are enabled and whose last heartbeat is recent."""

    hint = 'see "openstack compute service list" for hosts that are disabled or down'

    def check(self, host: HostState, request: Request) -> str | None:
        if host.alive_until >= request.now and not host.disabled:
            return None
        if host.disabled:
            return f'is disabled: {host.disabled_reason}' if host.disabled_reason else 'is disabled'
        if host.forced_down:
            return 'is forced down'
        if host.last_seen is None:
            return 'has never reported'
        return f'is down: its last report came {request.now - host.last_seen:.0f} s ago'

    def passing(self, hosts: Sequence[HostState], request: Request) -> list[HostState]:
        now = request.now
        return [host for host in hosts if host.alive_until >= now and not host.disabled]

    def summary(self, dropped: Sequence[HostState], request: Request) -> str:
        disabled = sum(host.disabled for host in dropped)
        down = len(dropped) - disabled
        parts = ((disabled, 'is disabled', 'are disabled'), (down, 'is down', 'are down'))
        return ', '.join(number(*part) for part in parts if part[0])
