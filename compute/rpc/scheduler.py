"""What the conductor asks of the scheduler."""

from __future__ import annotations

from typing import Any

from compute.objects.request_spec import RequestSpec, Selection
from compute.rpc.interface import Interface, call


class Select(Interface):
    """The only call in a boot's path."""

    TOPIC = 'scheduler'
    NAME = 'select'
    VERSION = '1.1'

    @call(timeout=20)
    def select(self, context: Any, *, spec: RequestSpec) -> Selection:
        """Choose a host and claim it, in one transaction with setting the server's host.

        It takes milliseconds and may be asked again: a scheduler that died with the question costs the timeout.

        :raises NoValidHost: its message counts the reasons; ``details['rejections']`` has one per host (bounded).
        """
        raise NotImplementedError

    @call(timeout=20, since='1.1')
    def select_many(self, context: Any, *, specs: tuple[RequestSpec, ...]) -> dict[str, Selection]:
        """Choose and claim hosts for servers that are made together, and return the selections by server.

        All that is claimed is claimed in one transaction. A server that is not in the answer was not placed: it is in a
        group, no host fits it, or somebody was faster. Ask for it alone, which also tells why.
        """
        raise NotImplementedError
