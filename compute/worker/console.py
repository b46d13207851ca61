"""What a guest prints on its serial console."""

from __future__ import annotations

from typing import Any

from compute import context as ctx
from compute.objects.instance import Instance
from compute.rpc.worker import Consoles
from compute.virt.driver import Driver


class ConsolesEndpoint(Consoles):
    """Reads consoles of servers that are on this host."""

    def __init__(self, conf: Any, driver: Driver) -> None:
        self._bytes, self._driver = conf.worker.console_log_bytes, driver

    def console_output(self, context: ctx.RequestContext, *, instance: Instance, lines: int | None) -> str:
        text = self._driver.console_output(instance, self._bytes).decode('utf-8', 'replace')
        if lines is None or lines < 0:
            return text
        return '\n'.join(text.split('\n')[-lines:]) if lines else ''
