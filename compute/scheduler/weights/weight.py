"""The contract of weights: one number for each host, where more is better before the multiplier is applied."""

from __future__ import annotations

from collections.abc import Sequence

from compute.scheduler.host_state import HostState
from compute.scheduler.request import Request


class Weight:
    """Prefers some of the hosts that passed. ``option`` names its multiplier in ``[scheduler]``."""

    option: str

    def applies(self, request: Request) -> bool:
        """Tell whether it can make a difference for this request."""
        return True

    def values(self, hosts: Sequence[HostState], request: Request) -> list[float]:
        """Return a value for each host, in their order and on any scale. It reads only what it is given."""
        raise NotImplementedError
