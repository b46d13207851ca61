"""Memory: what is asked for must be left of what may be claimed."""

from __future__ import annotations

from collections.abc import Sequence

from compute.scheduler.filters.filter import Filter, number
from compute.scheduler.host_state import HostState
from compute.scheduler.request import Request


class RamFilter(Filter):
    """Passes hosts with enough free memory; one server may never have more than the machine."""

    hint = 'choose a flavor with less RAM, or delete servers'

    def applies(self, request: Request) -> bool:
        return request.memory_mb > 0

    def check(self, host: HostState, request: Request) -> str | None:
        asked = request.memory_mb
        if asked <= host.memory_mb_free and asked <= host.memory_mb:
            return None
        if asked > host.memory_mb:
            return f'needs {asked} MB of RAM, the machine has {host.memory_mb}'
        return (f'needs {asked} MB of RAM, {max(0, host.memory_mb_free)} of {host.memory_mb_limit} are free '
                f'(ratio {host.ram_ratio})')

    def passing(self, hosts: Sequence[HostState], request: Request) -> list[HostState]:
        asked = request.memory_mb
        return [host for host in hosts if asked <= host.memory_mb_free and asked <= host.memory_mb]

    def summary(self, dropped: Sequence[HostState], request: Request) -> str:
        most = max(0, *(min(host.memory_mb_free, host.memory_mb) for host in dropped))
        return (f'{number(len(dropped), "lacks", "lack")} RAM (needs {request.memory_mb} MB, at most {most} MB free)')
