"""An operation while it runs on this host, and when its stages are told.

A stage need not be told before it is acted on, as long as the ledger confirmed lately that the operation is ours: then
it travels with the next report, and most operations are told in two, ``begin`` and ``finish``. It is told at once when
that was too long ago, so that a worker that was paused asks before it acts; and a stage that lasts is told while it
does, so that users see it. A destination tells that the guest may run there before it does. Otherwise the ledger's
stage may be behind; ``may_have_reached`` reckons with that.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from compute import exception, tracing
from compute.context import RequestContext
from compute.objects.instance import Instance
from compute.objects.kinds import Stage, kind_of
from compute.objects.kinds.kind import DESTINATION, Leg
from compute.objects.operation import UNDOING, InstanceUpdate, OperationRef, StageBegan, Work
from compute.objects.value import encode, now
from compute.worker.reports import Reporter

LOG = logging.getLogger(__name__)
VISIBLE = 0.3
"""Seconds after which a stage that still goes on is told."""


def trust_of(lease: float) -> float:
    """Return for how many seconds a confirmation by the ledger is believed, from the seconds of the lease."""
    return lease / 3


class Moment:
    """A point in time. What passed since is never told too short: both clocks are asked, for either may have stood."""

    def __init__(self) -> None:
        self._monotonic, self._wall = time.monotonic(), time.time()

    def ago(self) -> float:
        """Return the seconds since."""
        return max(time.monotonic() - self._monotonic, time.time() - self._wall)


class Interrupt(threading.Event):
    """``Job.cancelled`` for a call that waits long and then acts: who was paused in the wait learns what it missed."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job

    def is_set(self) -> bool:
        """Return whether the operation was cancelled."""
        return self._job.cancelled.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait, and return whether the operation was cancelled. :raises Stale: it is another's."""
        if self._job.cancelled.wait(timeout):
            return True
        self._job.sure()
        return False


class Job:
    """An operation while it runs here. ``untold`` is called when a stage waits to be told."""

    def __init__(self, context: RequestContext, ref: OperationRef, reporter: Reporter,
                 untold: Callable[[], None] = lambda: None) -> None:
        self.context, self.ref, self._reporter, self._wake = context, ref, reporter, untold
        self.cancelled = threading.Event()
        self.interrupt = Interrupt(self)
        self._work: Work | None = None
        self.carry: Any = None
        """What the leg found for the legs after it, a value of the kind's carry type."""
        self.current = ''
        self.begun = False
        self.recovering = False
        self.lost = False
        self._speaking = threading.Lock()
        self._first = ''
        self._noted: str | None = None  # the stage that ``begin`` carried
        self._seen = False  # whether ``current`` is what this process does, not what the ledger says
        self._untold: list[tuple[str, float]] = []
        self._update = InstanceUpdate()
        self._confirmed, self._trust = Moment(), 0.0
        self._leased: Moment | None = None
        self.spans = tracing.Stages(context, ref, reporter.host)

    @property
    def work(self) -> Work:
        """What the ledger answered when the operation began here. :raises RuntimeError: it has not begun."""
        if self._work is None:
            raise RuntimeError(f'operation {self.ref.operation_id} has not begun')
        return self._work

    @property
    def instance(self) -> Instance:
        """The server as it was when the operation began here."""
        return self.work.instance

    def overdue(self) -> float:
        """Return by how many seconds it is past its deadline, 0 when it is not or has not begun."""
        deadline = self._work.operation.deadline_at if self._work is not None else None
        return 0.0 if deadline is None else max(0.0, (now() - deadline).total_seconds())

    @property
    def undoing(self) -> bool:
        """Whether the leg of this host is to be undone."""
        return self.work.operation.state == UNDOING

    @property
    def leg(self) -> Leg:
        """The leg that runs, or is undone, on this host."""
        return kind_of(self.ref.kind).legs[self.work.operation.leg]

    def begin(self) -> None:
        """Lease the operation. :raises Stale: it is not for this host to begin."""
        asked = Moment()
        self._work = self._reporter.begin(self.context, self.ref.operation_id)
        operation = self.work.operation
        self._leased = Moment()
        self.begun, self.current = True, operation.stage
        self._noted, self._first = self.work.noted, self.work.noted or ''
        if operation.lease_until is not None and operation.updated_at is not None:
            self._trust = trust_of((operation.lease_until - operation.updated_at).total_seconds())
            self._confirmed = asked

    def stage(self, name: str, update: InstanceUpdate | None = None) -> None:
        """Begin a stage. :raises Stale: the operation was cancelled or is another's; stop and undo."""
        self.check()
        self.spans.enter(name)
        with self._speaking:
            if update is not None:
                self._update = self._update.then(update)
            if self._noted != name or update is not None:
                self._untold.append((name, time.monotonic()))
                if self.recovering or self._confirmed.ago() > self._trust or self._starts_elsewhere(name):
                    self._tell()
                else:
                    self._wake()
            self._noted = None
            self.current, self._seen = name, True

    def _starts_elsewhere(self, name: str) -> bool:
        """Return whether the guest may run at a destination from this stage on.

        A conductor that gives this host up has to know it: else it lets the guest start at its source, too.
        """
        return self.leg.place == DESTINATION and not kind_of(self.ref.kind).stage(name).redo

    def may_have_reached(self) -> tuple[Stage, ...]:
        """Return the stages of the leg that may be half done: the one that the ledger knows, and those after it.

        None where the ledger's is before the leg: the first stage of a leg is noted with the lease.
        """
        stages = self.leg.stages
        names = [each.name for each in stages]
        if self.current not in names:
            return ()
        at = names.index(self.current)
        if self._seen:
            return stages[at:at + 1]
        return stages[at:] if self._first not in names[at + 1:] else ()

    def check(self) -> None:
        """Return unless the operation was cancelled. :raises Stale:"""
        if self.cancelled.is_set():
            raise exception.Stale(f'operation {self.ref.operation_id} was cancelled')

    def sure(self) -> None:
        """Return if it is still ours: to be called right before whatever changes the host or a neighbour.

        A process that was paused does not know it. If the ledger did not confirm it lately, this asks first; otherwise
        what others did meanwhile would be done once more. :raises Stale: it is another's.
        """
        self.check()
        if self._confirmed.ago() > self._trust:
            asked = Moment()
            if not self._reporter.holds(self.ref.operation_id):
                raise exception.Stale(f'operation {self.ref.operation_id} is no longer ours')
            self.confirm(asked)

    def confirm(self, at: Moment) -> None:
        """Take in that the ledger knew the operation to be ours at a time."""
        if self.begun:
            self._confirmed = at

    def was_leased(self, at: Moment) -> bool:
        """Tell whether the lease was there at a time: what the ledger said before that says nothing of it."""
        return self._leased is not None and self._leased.ago() >= at.ago()

    def waits(self) -> bool:
        """Tell whether a stage waits to be told."""
        return bool(self._untold)

    def show(self) -> None:
        """Tell, once, a stage that lasts. What cannot be told now is told later."""
        if not self._untold or not self._speaking.acquire(blocking=False):
            return
        try:
            if self._untold and time.monotonic() - self._untold[-1][1] >= VISIBLE:
                self._tell(once=True)
        except exception.Stale as error:
            LOG.info('operation %s: %s', self.ref.operation_id, error.message)
            self.cancelled.set()
        except exception.ComputeError as error:
            LOG.debug('operation %s: its stage is told later: %s', self.ref.operation_id, error.message)
        finally:
            self._speaking.release()

    def finish(self, update: InstanceUpdate) -> None:
        """Report that the leg succeeded, or is undone. :raises Stale: the lease is lost."""
        self.spans.leave()
        with self._speaking:
            self._reporter.finish(self.context, self.ref.operation_id, self.work.operation.leg,
                                  self._update.then(update), None if self.carry is None else encode(self.carry),
                                  self._stages, undone=self.undoing)
            self._untold.clear()

    def fail(self, error: Any, update: InstanceUpdate | None) -> None:
        """End our part badly. :raises Stale: it is no longer ours."""
        with self._speaking:
            told = self._update.then(update) if update is not None else self._update
            self._reporter.fail(self.context, self.ref.operation_id, error, None if told == InstanceUpdate() else told,
                                self._stages)
            self._untold.clear()

    def _stages(self) -> tuple[StageBegan, ...]:
        """Return what is untold, with ages: the clocks of hosts are nobody's business."""
        moment = time.monotonic()
        return tuple(StageBegan(name=name, ago=moment - at) for name, at in self._untold)

    def _tell(self, once: bool = False) -> None:
        asked, update = Moment(), self._update
        self._reporter.progress(self.context, self.ref.operation_id, self._untold[-1][0],
                                None if update == InstanceUpdate() else update, self._stages, once=once)
        self._untold.clear()
        self._update = InstanceUpdate()
        if self._trust:
            self._confirmed = asked
