"""The frame of every operation on a host: one at a time for a server, leased, reported stage by stage, undone on
failure.

An operation's file gives ``run(job)``, which returns an ``InstanceUpdate`` or raises, and may give ``undo(job)``. Its
stages, its pool and what it supersedes are in its declaration. When stages are told is in ``compute/worker/job.py``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

from compute import concurrency, exception, metrics
from compute.context import RequestContext
from compute.objects.kinds import KINDS, Kind, kind_of
from compute.objects.kinds.kind import ACTIONS, BUILDS, MOVES, RELEASE
from compute.objects.operation import InstanceUpdate, OperationError, OperationRef
from compute.worker import failures
from compute.worker.job import VISIBLE, Job, Moment
from compute.worker.reports import Reporter, Unheard
from compute.worker.server_lock import ServerLock

LOG = logging.getLogger(__name__)
_LONGEST_PAUSE = 5.0


class HostHandler(Protocol):
    """One kind of operation on this host. It begins with the first stage that its kind declares for a host."""

    def run(self, job: Job) -> InstanceUpdate:
        """Do it. :raises ComputeError: why not."""

    def undo(self, job: Job) -> None:
        """Remove what ``run`` may have made; nothing where there is nothing to remove."""

    def after_failure(self, job: Job) -> InstanceUpdate | None:
        """Say how the server is after a failure; None when nothing is known."""


@runtime_checkable
class Recovering(Protocol):
    """One that goes on where it was cut off in a stage that is not idempotent, instead of undoing that first."""

    def recover(self, job: Job) -> None:
        """Prepare to run again."""


class Runner:
    """Runs operations in bounded pools, one at a time for each server.

    ``patience``: seconds for which an operation goes on trying while something that it needs does not answer.
    """

    def __init__(self, reporter: Reporter, handlers: Mapping[str, HostHandler], builds: int, actions: int,
                 moves: int = 2, patience: float = 0.0) -> None:
        self._reporter, self._handlers, self._patience = reporter, handlers, patience
        self._pools = {BUILDS: concurrency.Pool(BUILDS, builds), ACTIONS: concurrency.Pool(ACTIONS, actions),
                       MOVES: concurrency.Pool(MOVES, moves)}
        self._lock = threading.Lock()
        self._server_locks: dict[str, list[Any]] = {}
        self._jobs: dict[int, Job] = {}
        self._newest: dict[str, int] = {}
        self._kept: set[str] = set()
        self._cut_off = False
        self._may_begin, self._never = threading.Event(), False
        self._may_begin.set()
        self._untold, self._stopped = threading.Event(), threading.Event()
        concurrency.spawn(self._show, name='stages')

    def submit(self, context: RequestContext, ref: OperationRef, *, recover: bool = False) -> None:
        """Take an operation on. One that is known here already is ignored: the message came twice."""
        with self._lock:
            if ref.operation_id in self._jobs:
                return
            job = self._jobs[ref.operation_id] = Job(context, ref, self._reporter, self._untold.set)
        pool = ACTIONS
        if (kind := KINDS.get(ref.kind)) is not None:
            self._supersede(ref, kind)
            pool = kind.pool
        try:
            self._pools[pool].submit(self._run, job, recover)
        except concurrency.Pool.Full as error:
            self._forget(job)
            LOG.warning('%s is not taken on, it will come again: %s', ref, error)

    def hold(self) -> None:
        """Begin no operation until ``go``. Those that come are taken on, so that their leases are renewed."""
        self._may_begin.clear()

    def go(self) -> None:
        """Begin what was held."""
        self._may_begin.set()

    def running(self) -> tuple[int, ...]:
        """Return the ids of all operations here, those that wait included: their leases are renewed."""
        with self._lock:
            return tuple(self._jobs)

    def overdue(self) -> float:
        """Return by how many seconds the most overdue operation here is past its deadline; 0 when none is."""
        with self._lock:
            return max((job.overdue() for job in self._jobs.values()), default=0.0)

    def heard(self, asked: tuple[int, ...], lost: tuple[int, ...], at: Moment) -> None:
        """Take in which of the operations that were asked for ``at`` a time are no longer ours, and stop those.

        One that was only about to be leased then is in the answer, too, and is ours since.
        """
        with self._lock:
            for job in (self._jobs[number] for number in asked if number in self._jobs):
                if job.ref.operation_id not in lost:
                    job.confirm(at)
                elif job.was_leased(at) and not job.cancelled.is_set():
                    metrics.count('compute_leases_lost_total', 'worker')
                    job.cancelled.set()

    def busy(self, uuid: str) -> bool:
        """Tell whether an operation on this server runs or waits here, or the server is kept."""
        with self._lock:
            return uuid in self._kept or any(job.ref.instance_uuid == uuid for job in self._jobs.values())

    def has_operation(self, uuid: str) -> bool:
        """Return whether an operation on a server runs here or waits for its turn."""
        with self._lock:
            return any(job.ref.instance_uuid == uuid for job in self._jobs.values())

    def keep(self, uuids: Iterable[str]) -> None:
        """Count these servers as busy until they are let go, or an operation on them begins."""
        with self._lock:
            self._kept.update(uuids)

    def kept(self) -> frozenset[str]:
        """Return the servers that are kept now. What was seen of their guests after that may be old when it is told."""
        with self._lock:
            return frozenset(self._kept)

    def keeps(self, uuid: str) -> bool:
        """Tell whether a server is kept. Who asks while ``alone`` with it has the answer for as long."""
        with self._lock:
            return uuid in self._kept

    def let_go(self, uuid: str) -> None:
        """Keep a server no longer."""
        with self._lock:
            self._kept.discard(uuid)

    def newest(self) -> dict[str, int]:
        """Return the last operation that ended well here on each server that is not deleted: what is seen of a guest
        from now on is seen after it."""
        with self._lock:
            return dict(self._newest)

    def alone(self, uuid: str) -> contextlib.AbstractContextManager[None]:
        """Let no operation on a server run here meanwhile."""
        return ServerLock(self._server_locks, self._lock, uuid)

    def finish(self, until: float) -> bool:
        """Take nothing more on and end what runs; what is not done by ``until`` is left as it is, for our successor.

        Tell whether all was done. What had not begun stays this host's in the ledger.
        """
        for pool in self._pools.values():
            pool.shutdown()
        self._forget_held()
        done = all([pool.finish(until) for pool in self._pools.values()])
        self._cut_off = True
        return done

    def superseded(self) -> None:
        """Another process acts as this host: end what runs at its next step. Nothing is reported, nothing undone."""
        self.stop()
        with self._lock:
            for job in self._jobs.values():
                job.cancelled.set()

    def stop(self) -> None:
        """Take nothing more on, and try nothing again. What still runs is not reported: its failure is our stop."""
        self._cut_off, self._patience = True, 0.0
        self._stopped.set()
        self._untold.set()
        for pool in self._pools.values():
            pool.shutdown()
        self._forget_held()

    def _forget_held(self) -> None:
        if not self._may_begin.is_set():
            self._never = True
            self._may_begin.set()

    def _supersede(self, ref: OperationRef, kind: Kind[Any, Any]) -> None:
        """Cancel older operations on the same server that this one supersedes, also while they wait for a guest."""
        with self._lock:
            for number, job in self._jobs.items():
                if (number < ref.operation_id and job.ref.instance_uuid == ref.instance_uuid
                        and kind.cancels(job.ref.kind)):
                    job.cancelled.set()

    def _forget(self, job: Job) -> None:
        with self._lock:
            self._jobs.pop(job.ref.operation_id, None)

    def _note_end(self, ref: OperationRef) -> None:
        with self._lock:
            if kind_of(ref.kind).claim == RELEASE:
                self._newest.pop(ref.instance_uuid, None)
            else:
                self._newest[ref.instance_uuid] = ref.operation_id

    def _run(self, job: Job, recover: bool) -> None:
        job.context.update_store()  # what this thread logs from now on carries the id of the request
        self._may_begin.wait()
        if self._never:
            self._forget(job)
            return
        try:
            with self.alone(job.ref.instance_uuid):
                self.let_go(job.ref.instance_uuid)
                self._lead(job, recover)
        except exception.Stale as error:
            LOG.info('operation %s: %s', job.ref.operation_id, error.message)
        except exception.Unavailable as error:
            LOG.error('operation %s cannot be reported, it will be taken up again: %s', job.ref.operation_id,
                      error.message)
        finally:
            job.spans.leave('given up')
            self._forget(job)

    def _lead(self, job: Job, recover: bool) -> None:
        ref = job.ref
        handler = self._handlers.get(ref.kind)
        if handler is None:
            self._refuse(job)
            return
        job.begin()
        if job.undoing:
            self._undo_leg(job, handler)
            return
        # One that comes again after somebody had begun it (a lease ran out) may have left things behind, too.
        job.recovering = recover or bool(job.may_have_reached())
        begin = time.monotonic()
        try:
            update = self._persist(job, handler)
        except exception.Stale as error:
            self._give_up(job, handler, error)
            raise
        except Unheard:
            raise
        except Exception as error:
            job.spans.leave(error)
            self._fail(job, handler, error)
            return
        try:
            job.finish(update)
        except exception.Stale as error:
            self._give_up(job, handler, error)
            raise
        self._note_end(ref)
        LOG.info('%s done in %.2f s', ref, time.monotonic() - begin)

    @staticmethod
    def _refuse(job: Job) -> None:
        """Fail an operation of a kind that this release does not know: a host of a newer one may do it."""
        job.begin()
        job.fail(OperationError(
            code='kind_unknown', retryable=True, status=503, hint='upgrade the workers before the conductors',
            message=f'This host does not know operations of kind {job.ref.kind!r}'), None)

    def _undo_leg(self, job: Job, handler: HostHandler) -> None:
        """Undo what this host did of an operation that failed at a later leg, and report it."""
        try:
            self._undo(job, handler)
        except exception.Stale:
            raise
        except Exception as error:
            LOG.error('%s could not be undone: %s', job.ref, getattr(error, 'message', error),
                      exc_info=not isinstance(error, exception.ComputeError))
            job.fail(failures.as_value(error, job.current), None)
            return
        job.finish(handler.after_failure(job) or InstanceUpdate())
        LOG.info('%s is undone', job.ref)

    def _persist(self, job: Job, handler: HostHandler) -> InstanceUpdate:
        """Run it, and run it again while a neighbour or the hypervisor does not answer: it may just be restarting."""
        end, pause = None, 0.5
        while True:
            try:
                if job.recovering:
                    self._recover(job, handler)
                return handler.run(job)
            except Unheard:
                raise
            except exception.Unavailable as error:
                end = end or time.monotonic() + self._patience
                if not self._patience or time.monotonic() + pause > end:
                    raise
                LOG.warning('%s is tried again in %.1f s, it stopped at %s: %s', job.ref, pause,
                            job.current or 'its begin', error.message)
            job.cancelled.wait(pause)
            job.check()
            job.recovering, pause = True, min(pause * 2, _LONGEST_PAUSE)

    @staticmethod
    def _recover(job: Job, handler: HostHandler) -> None:
        """What was being done when it was cut off: a stage that may not simply be done again is undone first."""
        if not all(stage.redo for stage in job.may_have_reached()):
            job.sure()
            if isinstance(handler, Recovering):
                handler.recover(job)
            else:
                handler.undo(job)

    def _give_up(self, job: Job, handler: HostHandler, error: exception.Stale) -> None:
        """It is no longer ours: remove what is here of it, and touch nothing that may be somebody else's.

        What is here may be the work of our successor by now, if we are not this host's worker any more.
        """
        if isinstance(error, exception.Superseded) or self._cut_off:
            return
        job.lost = True
        try:
            handler.undo(job)
        except exception.Failed as second:
            LOG.error('operation %s is no longer ours, and what was made of it here stays: %s', job.ref.operation_id,
                      second.message)

    def _undo(self, job: Job, handler: HostHandler) -> None:
        """Undo, again while something does not answer. :raises Unavailable: it did not for long."""
        end, pause = time.monotonic() + self._patience, 0.5
        while True:
            try:
                return handler.undo(job)
            except exception.Unavailable:
                if job.cancelled.wait(pause) or time.monotonic() > end:
                    raise
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _fail(self, job: Job, handler: HostHandler, error: Exception) -> None:
        ref = job.ref
        if self._cut_off:
            LOG.warning('%s is cut off at %s by the stop of this worker; the next one goes on', ref, job.current)
            return
        known = isinstance(error, exception.ComputeError)
        LOG.log(logging.WARNING if known else logging.ERROR, '%s failed at %s: %s', ref, job.current,
                getattr(error, 'message', error), exc_info=not known)
        if not self._reporter.holds(ref.operation_id):
            self._give_up(job, handler, exception.Stale(f'operation {ref.operation_id} is no longer ours'))
            return
        left = False
        try:
            self._undo(job, handler)
            update = handler.after_failure(job)
        except Exception as second:
            LOG.error('%s could not be undone: %s', ref, getattr(second, 'message', second),
                      exc_info=not isinstance(second, exception.ComputeError))
            update, left = None, job.leg.has_undo
            if not left and not all(stage.redo for stage in job.may_have_reached()):
                error = failures.left_behind(error, second)
        job.fail(dataclasses.replace(failures.as_value(error, job.current), left_behind=left), update)

    def _show(self) -> None:
        """Tell stages that last. The thread sleeps while none waits to be told."""
        while not self._stopped.is_set():
            self._untold.wait()
            self._untold.clear()
            self._stopped.wait(VISIBLE)
            with self._lock:
                waiting = [job for job in self._jobs.values() if job.waits()]
            for job in waiting:
                job.show()
            if any(job.waits() for job in waiting):
                self._untold.set()
