"""What the conductor asks of the scheduler."""

from __future__ import annotations

from typing import Any

from compute.objects.request_spec import RequestSpec, Selection
from compute.rpc.interface import Interface, call


class Select(Interface):
    """The only call in a boot's path."""

    TOPIC = 'scheduler'
    NAME = 'select'

    @call(timeout=20)
    def select(self, context: Any, *, spec: RequestSpec) -> Selection:
        """Choose a host and claim it, in one transaction with setting the server's host.

        It takes milliseconds and may be asked again: a scheduler that died with the question costs the timeout.

        :raises NoValidHost: its message counts the reasons; ``details['rejections']`` has one per host (bounded).
        """
        raise NotImplementedError
