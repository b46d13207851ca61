"""The worker's voice: every report names this host and incarnation, and is said until it is heard.

A report that cannot be delivered (broker or conductor down) is tried again; what was done is not undone for that. A
report that is refused (Stale) means that the operation is no longer ours.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from compute import context as ctx
from compute import exception
from compute.health import Report
from compute.objects.host import Inventory
from compute.objects.operation import InstanceUpdate, OperationError, StageBegan, Work
from compute.objects.registration import HostReport, Registration
from compute.rpc.conductor import Reports
from compute.rpc.transport import Rpc
from compute.worker.together import Together

T = TypeVar('T')
# The stages that were not told yet, with their ages at the time of the call: a report may be said again much later.
Stages = Callable[[], tuple[StageBegan, ...]]
LOG = logging.getLogger(__name__)


class Unheard(exception.Unavailable):
    """No conductor took a report. What was done stays as it is: whoever takes the operation up goes on from there."""

    code = 'report_unheard'


class Reporter:
    """One host's reports. ``patience`` seconds for each before it is given up with ``Unheard``."""

    def __init__(self, rpc: Rpc, host: str, incarnation: str, patience: float = 600.0) -> None:
        self._client = rpc.client(Reports)
        self._patience = patience
        self.host, self.incarnation = host, incarnation
        self._stopped = threading.Event()
        self._health: dict[str, Any] = {}
        # A conductor that is slow is not asked by every operation at once, which would make it slower still.
        self._lease = Together(self._renew)

    def register(self, report: HostReport, inventory: Inventory) -> Registration:
        """Say that this worker started; tried until somebody answers."""
        return self._insist(lambda: self._client.register(ctx.internal(), report=report, inventory=inventory),
                            'register', float('inf'))

    def heartbeat(self, operations: tuple[int, ...], health: Report | None = None) -> tuple[int, ...]:
        """Renew leases and say how the host is (None: as last time); said once, the next one is due soon."""
        if health is not None:
            self._health = {'problems': tuple(health.reasons()), 'health': health.to_wire()}
        return self._client.heartbeat(ctx.internal(), host=self.host, incarnation=self.incarnation,
                                      operations=operations, **self._health)

    def holds(self, operation_id: int) -> bool:
        """Tell whether an operation is still ours. :raises Superseded: another process acts as this host now."""
        return self._lease.about(operation_id)

    def _renew(self, operations: tuple[int, ...]) -> tuple[int, ...]:
        return self._insist(lambda: self.heartbeat(operations), 'heartbeat')

    def inventory(self, inventory: Inventory) -> None:
        """Say what the host has; said once."""
        self._client.inventory(ctx.internal(), inventory=inventory, **self._who())

    def observed(self, power_states: dict[str, int], after: dict[str, int]) -> tuple[str, ...]:
        """Say how guests are, seen after these operations; said once, the next comparison repeats it."""
        return self._client.observed(ctx.internal(), power_states=power_states, after=after, **self._who())

    def instances(self) -> list[Any]:
        """Return the servers that are on this host."""
        return self._client.instances(ctx.internal(), **self._who())

    def begin(self, context: ctx.RequestContext, operation_id: int) -> Work:
        """Lease an operation for this host. :raises Stale: it is not for this host to begin."""
        return self._insist(lambda: self._client.begin(context, operation_id=operation_id, **self._who()), 'begin')

    def progress(self, context: ctx.RequestContext, operation_id: int, stage: str, update: InstanceUpdate | None,
                 stages: Stages, *, once: bool = False) -> None:
        """Say that a stage began, and which before it. ``once``: not again. :raises Stale: it was cancelled."""
        def say() -> None:
            self._client.progress(context, operation_id=operation_id, stage=stage, update=update, stages=stages(),
                                  **self._who())
        say() if once else self._insist(say, 'progress')

    def finish(self, context: ctx.RequestContext, operation_id: int, leg: int, update: InstanceUpdate,
               carry: dict[str, Any] | None, stages: Stages, *, undone: bool = False) -> None:
        """Report that a leg succeeded or is undone. :raises Stale: the lease is lost."""
        self._insist(lambda: self._client.finish(context, operation_id=operation_id, leg=leg, update=update,
                                                 carry=carry, stages=stages(), undone=undone, **self._who()),
                     'finish')

    def fail(self, context: ctx.RequestContext, operation_id: int, error: OperationError,
             update: InstanceUpdate | None, stages: Stages) -> None:
        """End our part badly. :raises Stale: it is no longer ours."""
        self._insist(lambda: self._client.fail(context, operation_id=operation_id, error=error, update=update,
                                               stages=stages(), **self._who()), 'fail')

    def stop(self) -> None:
        """Give up what is being said over and over."""
        self._stopped.set()

    def _who(self) -> dict[str, str]:
        return {'host': self.host, 'incarnation': self.incarnation}

    def _insist(self, say: Callable[[], T], what: str, patience: float | None = None) -> T:
        end = time.monotonic() + (self._patience if patience is None else patience)
        pause = 0.5
        while True:
            try:
                return say()
            except exception.Unavailable as error:
                if self._stopped.is_set() or time.monotonic() > end:
                    raise Unheard(f'{what} was not heard: {error.message}') from error
                LOG.warning('%s is said again in %.1f s: %s', what, pause, error.message)
            self._stopped.wait(pause)
            pause = min(pause * 2, 10.0)
