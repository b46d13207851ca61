"""Hosts that are busy building, copying or saving disks get a rest."""

from __future__ import annotations

from collections.abc import Sequence

from oslo_config import cfg

from compute.scheduler.filters.filter import Filter, number
from compute.scheduler.host_state import HostState
from compute.scheduler.request import Request


class IoOpsFilter(Filter):
    """Passes hosts on which fewer than ``max_io_ops_per_host`` disk-heavy operations go on."""

    hint = 'try again later, or raise [scheduler] max_io_ops_per_host'

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        super().__init__(conf)
        self._most = conf.scheduler.max_io_ops_per_host

    def check(self, host: HostState, request: Request) -> str | None:
        if host.io_ops < self._most:
            return None
        return f'has {host.io_ops} builds, copies or snapshots under way, at most {self._most} may be'

    def summary(self, dropped: Sequence[HostState], request: Request) -> str:
        return number(len(dropped), 'is', 'are') + f' busy with {self._most} or more builds, copies or snapshots'
