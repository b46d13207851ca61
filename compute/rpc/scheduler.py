"""What the conductor asks of the scheduler."""

from __future__ import annotations

from typing import Any

from compute.objects.request_spec import RequestSpec, Selection
from compute.rpc.interface import Interface, call


class Select(Interface):
    """The only call in a boot's path."""

    TOPIC = 'scheduler'
    NAME = 'select'

    @call(timeout=60)
    def select(self, context: Any, *, spec: RequestSpec) -> Selection:
        """Choose a host and claim it, in one transaction with setting the server's host.

        :raises NoValidHost: its message counts the reasons; ``details['rejections']`` has one per host (bounded).
        """
        raise NotImplementedError
