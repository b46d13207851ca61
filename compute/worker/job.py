"""An operation while it runs on this host, and when its stages are told.

A stage need not be told before it is acted on, as long as the ledger confirmed lately that the operation is ours: then
it travels with the next report, and most operations are told in two, ``begin`` and ``finish``. It is told at once when
that was too long ago, so that a worker that was paused asks before it acts; and a stage that lasts is told while it
does, so that users see it. The ledger's stage may therefore be behind; ``may_have_reached`` reckons with that.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from compute import exception, tracing
from compute.context import RequestContext
from compute.objects.instance import Instance
from compute.objects.kinds import Stage, kind_of
from compute.objects.operation import InstanceUpdate, StageBegan, Work
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

    def __init__(self, context: RequestContext, work: Work, reporter: Reporter, untold: Any = lambda: None) -> None:
        self.context, self.work, self._reporter, self._wake = context, work, reporter, untold
        self.cancelled = threading.Event()
        self.interrupt = Interrupt(self)
        self.current = work.operation.stage
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
        self.spans = tracing.Stages(context, work.operation, work.operation.host or '')

    @property
    def instance(self) -> Instance:
        """The server as it was when the operation began here."""
        return self.work.instance

    @property
    def args(self) -> dict[str, Any]:
        """What the user asked for."""
        return self.work.operation.args

    def begin(self, stage: str) -> None:
        """Lease the operation; it begins with this stage. :raises Stale: it is not ours to begin."""
        asked, self._first = Moment(), stage
        self.work = self._reporter.begin(self.context, self.work.operation.id, stage)
        operation = self.work.operation
        self._leased = Moment()
        self.begun, self.current = True, operation.stage
        if self.work.noted == stage and operation.lease_until is not None and operation.updated_at is not None:
            # A conductor that does not know of this wants every stage told as before.
            self._noted = stage
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
                if self.recovering or self._confirmed.ago() > self._trust:
                    self._tell()
                else:
                    self._wake()
            self._noted = None
            self.current, self._seen = name, True

    def may_have_reached(self) -> tuple[Stage, ...]:
        """Return the stages that may be half done: where the ledger's is all we know, it and those after it.

        None where the ledger's is before the first of a host: that one is noted with the lease.
        """
        stages = kind_of(self.work.operation.kind).stages
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
            raise exception.Stale(f'operation {self.work.operation.id} was cancelled')

    def sure(self) -> None:
        """Return if it is still ours: to be called right before whatever changes the host or a neighbour.

        A process that was paused does not know it. If the ledger did not confirm it lately, this asks first; otherwise
        what others did meanwhile would be done once more. :raises Stale: it is another's.
        """
        self.check()
        if self._confirmed.ago() > self._trust:
            asked = Moment()
            if not self._reporter.holds(self.work.operation.id):
                raise exception.Stale(f'operation {self.work.operation.id} is no longer ours')
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
            LOG.info('operation %s: %s', self.work.operation.id, error.message)
            self.cancelled.set()
        except exception.ComputeError as error:
            LOG.debug('operation %s: its stage is told later: %s', self.work.operation.id, error.message)
        finally:
            self._speaking.release()

    def finish(self, update: InstanceUpdate) -> None:
        """End it well. :raises Stale: it is no longer ours."""
        self.spans.leave()
        with self._speaking:
            self._reporter.finish(self.context, self.work.operation.id, self._update.then(update), self._stages)
            self._untold.clear()

    def fail(self, error: Any, update: InstanceUpdate | None) -> None:
        """End our part badly. :raises Stale: it is no longer ours."""
        with self._speaking:
            told = self._update.then(update) if update is not None else self._update
            self._reporter.fail(self.context, self.work.operation.id, error, None if told == InstanceUpdate() else told,
                                self._stages)
            self._untold.clear()

    def _stages(self) -> tuple[StageBegan, ...]:
        """Return what is untold, with ages: the clocks of hosts are nobody's business."""
        moment = time.monotonic()
        return tuple(StageBegan(name=name, ago=moment - at) for name, at in self._untold)

    def _tell(self, once: bool = False) -> None:
        asked, update = Moment(), self._update
        self._reporter.progress(self.context, self.work.operation.id, self._untold[-1][0],
                                None if update == InstanceUpdate() else update, self._stages, once=once)
        self._untold.clear()
        self._update = InstanceUpdate()
        if self._trust:
            self._confirmed = asked
