"""An administrator may name the host or the node; all other filters still have their say."""

from __future__ import annotations

from collections.abc import Sequence

from compute.scheduler.filters.filter import Filter, number
from compute.scheduler.host_state import HostState
from compute.scheduler.request import Request


class RequestedHostFilter(Filter):
    """Passes the host or node that the request names."""

    hint = 'see "openstack hypervisor list" for the names of hosts'

    def applies(self, request: Request) -> bool:
        return request.host is not None or request.node is not None

    def check(self, host: HostState, request: Request) -> str | None:
        if request.host is not None and host.host != request.host:
            return f'is not the requested host {request.host}'
        if request.node is not None and host.node != request.node:
            return f'has node {host.node}, not the requested {request.node}'
        return None

    def summary(self, dropped: Sequence[HostState], request: Request) -> str:
        return number(len(dropped), 'is not the requested host', 'are not the requested host')
