"""Virtual CPUs: what is asked for must be left of what may be claimed."""

from __future__ import annotations

from collections.abc import Sequence

from compute.scheduler.filters.filter import Filter, number
from compute.scheduler.host_state import HostState
from compute.scheduler.request import Request


class CoreFilter(Filter):
    """Passes hosts with enough free VCPUs; one server may never have more than the machine has CPUs."""

    hint = 'choose a flavor with fewer VCPUs, or delete servers'

    def applies(self, request: Request) -> bool:
        return request.vcpus > 0

    def check(self, host: HostState, request: Request) -> str | None:
        asked = request.vcpus
        if asked <= host.vcpus_free and asked <= host.vcpus:
            return None
        if asked > host.vcpus:
            return f'needs {asked} VCPUs, the machine has {host.vcpus} CPUs'
        return (f'needs {asked} VCPUs, {max(0, host.vcpus_free)} of {host.vcpus_limit} are free '
                f'(ratio {host.cpu_ratio})')

    def passing(self, hosts: Sequence[HostState], request: Request) -> list[HostState]:
        asked = request.vcpus
        return [host for host in hosts if asked <= host.vcpus_free and asked <= host.vcpus]

    def summary(self, dropped: Sequence[HostState], request: Request) -> str:
        most = max(0, *(min(host.vcpus_free, host.vcpus) for host in dropped))
        return f'{number(len(dropped), "lacks", "lack")} VCPUs (needs {request.vcpus}, at most {most} free)'
