"""The frame of every operation on a host: one at a time for a server, leased, reported stage by stage, undone on
failure.

An operation's file gives ``run(job)``, which returns an ``InstanceUpdate`` or raises, ``first(job)``, the stage it
begins with, and may give ``undo(job)``. When stages are told is in ``compute/worker/job.py``.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import threading
import time
from collections.abc import Iterable
from typing import Any, Protocol

from compute import concurrency, exception, metrics
from compute.context import RequestContext
from compute.objects.operation import InstanceUpdate, Operation, OperationError, Work
from compute.objects.value import now
from compute.worker.job import VISIBLE, Job, Moment
from compute.worker.reports import Reporter, Unheard

LOG = logging.getLogger(__name__)
_LONGEST_PAUSE = 5.0
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Handler(Protocol):
    """One kind of operation on this host."""

    def first(self, job: Job) -> str:
        """Return the stage that ``run`` begins with."""

    def run(self, job: Job) -> InstanceUpdate:
        """Do it. :raises ComputeError: why not."""

    def undo(self, job: Job) -> None:
        """Remove what ``run`` may have made; nothing where there is nothing to remove."""

    def after_failure(self, job: Job) -> InstanceUpdate | None:
        """Say how the server is after a failure; None when nothing is known."""


class Runner:
    """Runs operations in bounded pools, one at a time for each server.

    ``patience``: seconds for which an operation goes on trying while something that it needs does not answer.
    """

    def __init__(self, reporter: Reporter, handlers: dict[str, Handler], builds: int, actions: int,
                 patience: float = 0.0) -> None:
        self._reporter, self._handlers, self._patience = reporter, handlers, patience
        self._pools = {'create': concurrency.Pool('builds', builds)}
        self._actions = concurrency.Pool('actions', actions)
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

    def submit(self, context: RequestContext, work: Work, *, recover: bool = False) -> None:
        """Take an operation on. One that is known here already is ignored: the message came twice."""
        operation = work.operation
        with self._lock:
            if operation.id in self._jobs:
                return
            job = self._jobs[operation.id] = Job(context, work, self._reporter, self._untold.set)
        if operation.kind == 'delete':
            self._give_way(work, kinds=None)
        elif operation.kind == 'reboot' and operation.args.get('type') == 'HARD':
            self._give_way(work, kinds=('reboot',))
        try:
            self._pools.get(operation.kind, self._actions).submit(self._run, job, recover)
        except concurrency.Pool.Full as error:
            self._forget(job)
            LOG.warning('operation %s is not taken on, it will come again: %s', operation.id, error)

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
            deadlines = [job.work.operation.deadline_at for job in self._jobs.values()]
        return max((max(0.0, (now() - deadline).total_seconds()) for deadline in deadlines if deadline), default=0.0)

    def heard(self, asked: tuple[int, ...], lost: tuple[int, ...], at: Moment) -> None:
        """Take in which of the operations that were asked for ``at`` a time are no longer ours, and stop those.

        One that was only about to be leased then is in the answer, too, and is ours since.
        """
        with self._lock:
            for job in (self._jobs[number] for number in asked if number in self._jobs):
                if job.work.operation.id not in lost:
                    job.confirm(at)
                elif job.was_leased(at) and not job.cancelled.is_set():
                    metrics.count('compute_leases_lost_total', 'worker')
                    job.cancelled.set()

    def busy(self, uuid: str) -> bool:
        """Tell whether an operation on this server runs or waits here, or the server is kept."""
        with self._lock:
            return uuid in self._kept or any(job.instance.uuid == uuid for job in self._jobs.values())

    def has_operation(self, uuid: str) -> bool:
        """Return whether an operation on a server runs here or waits for its turn."""
        with self._lock:
            return any(job.instance.uuid == uuid for job in self._jobs.values())

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
        return _ServerLock(self._server_locks, self._lock, uuid)

    def finish(self, until: float) -> bool:
        """Take nothing more on and end what runs; what is not done by ``until`` is left as it is, for our successor.

        Tell whether all was done. What had not begun stays this host's in the ledger.
        """
        pools = (*self._pools.values(), self._actions)
        for pool in pools:
            pool.shutdown()
        self._forget_held()
        done = all([pool.finish(until) for pool in pools])
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
        for pool in (*self._pools.values(), self._actions):
            pool.shutdown()
        self._forget_held()

    def _forget_held(self) -> None:
        if not self._may_begin.is_set():
            self._never = True
            self._may_begin.set()

    def _give_way(self, work: Work, kinds: tuple[str, ...] | None) -> None:
        """Cancel what was begun before on the same server: also the wait for a guest that does not shut down."""
        with self._lock:
            for number, job in self._jobs.items():
                if (number < work.operation.id and job.instance.uuid == work.operation.instance_uuid
                        and (kinds is None or job.work.operation.kind in kinds)):
                    job.cancelled.set()

    def _forget(self, job: Job) -> None:
        with self._lock:
            self._jobs.pop(job.work.operation.id, None)

    def _note_end(self, operation: Operation) -> None:
        with self._lock:
            if operation.kind == 'delete':
                self._newest.pop(operation.instance_uuid, None)
            else:
                self._newest[operation.instance_uuid] = operation.id

    def _run(self, job: Job, recover: bool) -> None:
        job.context.update_store()  # what this thread logs from now on carries the id of the request
        self._may_begin.wait()
        if self._never:
            self._forget(job)
            return
        try:
            with self.alone(job.instance.uuid):
                self.let_go(job.instance.uuid)
                self._lead(job, recover)
        except exception.Stale as error:
            LOG.info('operation %s: %s', job.work.operation.id, error.message)
        except exception.Unavailable as error:
            LOG.error('operation %s cannot be reported, it will be taken up again: %s', job.work.operation.id,
                      error.message)
        finally:
            job.spans.leave('given up')
            self._forget(job)

    def _lead(self, job: Job, recover: bool) -> None:
        operation = job.work.operation
        handler = self._handlers[operation.kind]
        job.begin(handler.first(job))
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
        self._note_end(operation)
        LOG.info('operation %s (%s of %s) done in %.2f s', operation.id, operation.kind, job.instance.uuid,
                 time.monotonic() - begin)

    def _persist(self, job: Job, handler: Handler) -> InstanceUpdate:
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
                LOG.warning('operation %s (%s of %s) is tried again in %.1f s, it stopped at %s: %s',
                            job.work.operation.id, job.work.operation.kind, job.instance.uuid, pause,
                            job.current or 'its begin', error.message)
            job.cancelled.wait(pause)
            job.check()
            job.recovering, pause = True, min(pause * 2, _LONGEST_PAUSE)

    @staticmethod
    def _recover(job: Job, handler: Handler) -> None:
        """What was being done when it was cut off: a stage that may not simply be done again is undone first."""
        if not all(stage.redo for stage in job.may_have_reached()):
            job.sure()
            handler.undo(job)

    def _give_up(self, job: Job, handler: Handler, error: exception.Stale) -> None:
        """It is no longer ours: remove what is here of it, and touch nothing that may be somebody else's.

        What is here may be the work of our successor by now, if we are not this host's worker any more.
        """
        if isinstance(error, exception.Superseded) or self._cut_off:
            return
        job.lost = True
        try:
            handler.undo(job)
        except exception.Failed as second:
            LOG.error('operation %s is no longer ours, and what was made of it here stays: %s', job.work.operation.id,
                      second.message)

    def _undo(self, job: Job, handler: Handler) -> None:
        """Undo, again while something does not answer. :raises Unavailable: it did not for long."""
        end, pause = time.monotonic() + self._patience, 0.5
        while True:
            try:
                return handler.undo(job)
            except exception.Unavailable:
                if job.cancelled.wait(pause) or time.monotonic() > end:
                    raise
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _fail(self, job: Job, handler: Handler, error: Exception) -> None:
        operation = job.work.operation
        if self._cut_off:
            LOG.warning('operation %s (%s of %s) is cut off at %s by the stop of this worker; the next one goes on',
                        operation.id, operation.kind, job.instance.uuid, job.current)
            return
        known = isinstance(error, exception.ComputeError)
        LOG.log(logging.WARNING if known else logging.ERROR, 'operation %s (%s of %s) failed at %s: %s', operation.id,
                operation.kind, job.instance.uuid, job.current, getattr(error, 'message', error), exc_info=not known)
        if not self._reporter.holds(operation.id):
            self._give_up(job, handler, exception.Stale(f'operation {operation.id} is no longer ours'))
            return
        try:
            self._undo(job, handler)
            update = handler.after_failure(job)
        except Exception as second:
            LOG.error('operation %s could not be undone: %s', operation.id, getattr(second, 'message', second),
                      exc_info=not isinstance(second, exception.ComputeError))
            update = None
            if not all(stage.redo for stage in job.may_have_reached()):
                error = _left_behind(error, second)
        job.fail(_as_value(error, job.current), update)

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


def _left_behind(error: Exception, second: Exception) -> exception.ComputeError:
    """Return why it is not tried on another host: the guest may run here, with the same addresses."""
    first, then = (getattr(each, 'message', type(each).__name__) for each in (error, second))
    return exception.Failed(f'{first}; and what was made of it could not be removed from this host ({then})',
                            code='guest_left_behind', hint='delete the server; its host removes what is left')


def _as_value(error: Exception, stage: str) -> OperationError:
    if isinstance(error, exception.ComputeError):
        return OperationError.of(error, stage)
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        return OperationError(code='disk_full', stage=stage, retryable=True, hint='free space on that host',
                              message=f'The disk of this host is full: {error.strerror}')
    return OperationError(code='internal', stage=stage, retryable=True,
                          message=f'An unexpected error of type {type(error).__name__} stopped it on this host')


class _ServerLock(contextlib.AbstractContextManager[None]):
    """A lock by uuid that exists only while somebody holds or wants it."""

    def __init__(self, locks: dict[str, list[Any]], guard: Any, uuid: str) -> None:
        self._locks, self._guard, self._uuid = locks, guard, uuid

    def __enter__(self) -> None:
        with self._guard:
            entry = self._locks.setdefault(self._uuid, [threading.Lock(), 0])
            entry[1] += 1
        entry[0].acquire()

    def __exit__(self, *exc_info: object) -> None:
        with self._guard:
            entry = self._locks[self._uuid]
            entry[1] -= 1
            if not entry[1]:
                del self._locks[self._uuid]
        entry[0].release()
