"""Local disk: what is asked for must be left of what may be claimed, and of the file system itself."""

from __future__ import annotations

from collections.abc import Sequence

from compute.scheduler.filters.filter import Filter, number
from compute.scheduler.host_state import HostState
from compute.scheduler.request import Request


class DiskFilter(Filter):
    """Passes hosts with enough disk. Images and strangers' files fill it as well, so the real free space counts too.

    The allocation ratio scales both: an operator who overcommits disk trusts that guests do not fill theirs.
    """

    hint = 'choose a flavor with less disk, free disk on the hosts, or raise [worker] disk_allocation_ratio'

    def applies(self, request: Request) -> bool:
        return request.disk_gb > 0

    def check(self, host: HostState, request: Request) -> str | None:
        asked = request.disk_gb
        if asked <= host.disk_gb_free and asked <= host.real_free_disk_gb * host.disk_ratio:
            return None
        if asked > host.disk_gb_free:
            return (f'needs {asked} GB of disk, {max(0, host.disk_gb_free)} of {host.disk_gb_limit} are free '
                    f'(ratio {host.disk_ratio})')
        return (f'needs {asked} GB of disk, {host.real_free_disk_gb} are free on its file system '
                f'(ratio {host.disk_ratio})')

    def passing(self, hosts: Sequence[HostState], request: Request) -> list[HostState]:
        asked = request.disk_gb
        return [host for host in hosts
                if asked <= host.disk_gb_free and asked <= host.real_free_disk_gb * host.disk_ratio]

    def summary(self, dropped: Sequence[HostState], request: Request) -> str:
        most = max(0, *(min(host.disk_gb_free, int(host.real_free_disk_gb * host.disk_ratio)) for host in dropped))
        return f'{number(len(dropped), "lacks", "lack")} disk (needs {request.disk_gb} GB, at most {most} GB free)'
