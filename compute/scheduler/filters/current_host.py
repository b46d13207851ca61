"""A server that is to leave its host is not placed there. This is no option: a migration to the same host is none."""

from __future__ import annotations

from collections.abc import Sequence

from compute.scheduler.filters.filter import Filter, number
from compute.scheduler.host_state import HostState
from compute.scheduler.request import Request


class CurrentHostFilter(Filter):
    """Passes hosts other than the one that the server leaves."""

    hint = 'another host must have room for the server'

    def applies(self, request: Request) -> bool:
        return request.spec.leaves is not None

    def check(self, host: HostState, request: Request) -> str | None:
        return 'is the host of the server now' if host.host == request.spec.leaves else None

    def summary(self, dropped: Sequence[HostState], request: Request) -> str:
        return number(len(dropped), 'is its host now', 'are its host now')
