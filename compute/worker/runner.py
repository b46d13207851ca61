"""The frame of every operation on a host: one at a time for a server, leased, reported stage by stage, undone on
failure.

An operation's file gives ``run(job)``, which returns an ``InstanceUpdate`` or raises, and may give ``undo(job)``.
"""

from __future__ import annotations

import errno
import logging
import threading
import time
from typing import Any, Protocol

from compute import concurrency, exception
from compute.context import RequestContext
from compute.objects.instance import Instance
from compute.objects.kinds import kind_of
from compute.objects.operation import InstanceUpdate, OperationError, Work
from compute.worker.reports import Reporter, Unheard

LOG = logging.getLogger(__name__)
_LONGEST_PAUSE = 5.0
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Handler(Protocol):
    """One kind of operation on this host."""

    def run(self, job: Job) -> InstanceUpdate:
        """Do it. :raises ComputeError: why not."""

    def undo(self, job: Job) -> None:
        """Remove what ``run`` may have made; nothing where there is nothing to remove."""

    def after_failure(self, job: Job) -> InstanceUpdate | None:
        """Say how the server is after a failure; None when nothing is known."""


class Job:
    """An operation while it runs here."""

    def __init__(self, context: RequestContext, work: Work, reporter: Reporter) -> None:
        self.context, self.work, self._reporter = context, work, reporter
        self.cancelled = threading.Event()
        self.current = work.operation.stage
        self.begun = False
        self.recovering = False
        self.lost = False

    @property
    def instance(self) -> Instance:
        """The server as it was when the operation began here."""
        return self.work.instance

    @property
    def args(self) -> dict[str, Any]:
        """What the user asked for."""
        return self.work.operation.args

    def stage(self, name: str, update: InstanceUpdate | None = None) -> None:
        """Begin a stage. :raises Stale: the operation was cancelled or is another's; stop and undo."""
        self.check()
        self._reporter.progress(self.context, self.work.operation.id, name, update)
        self.current = name

    def check(self) -> None:
        """Return unless the operation was cancelled. :raises Stale:"""
        if self.cancelled.is_set():
            raise exception.Stale(f'operation {self.work.operation.id} was cancelled')


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

    def submit(self, context: RequestContext, work: Work, *, recover: bool = False) -> None:
        """Take an operation on. One that is known here already is ignored: the message came twice."""
        operation = work.operation
        with self._lock:
            if operation.id in self._jobs:
                return
            job = self._jobs[operation.id] = Job(context, work, self._reporter)
        if operation.kind == 'delete':
            self._give_way(operation.instance_uuid, operation.id)
        try:
            self._pools.get(operation.kind, self._actions).submit(self._run, job, recover)
        except concurrency.Pool.Full as error:
            self._forget(job)
            LOG.warning('operation %s is not taken on, it will come again: %s', operation.id, error)

    def running(self) -> tuple[int, ...]:
        """Return the ids of all operations here, those that wait included: their leases are renewed."""
        with self._lock:
            return tuple(self._jobs)

    def lose(self, operation_ids: tuple[int, ...]) -> None:
        """Stop operations that are no longer ours."""
        with self._lock:
            for number in operation_ids:
                if number in self._jobs and self._jobs[number].begun:
                    self._jobs[number].cancelled.set()

    def busy(self, uuid: str) -> bool:
        """Tell whether an operation on this server runs or waits here."""
        with self._lock:
            return any(job.instance.uuid == uuid for job in self._jobs.values())

    def stop(self) -> None:
        """Take nothing more on, and try nothing again."""
        self._patience = 0.0
        for pool in (*self._pools.values(), self._actions):
            pool.shutdown()

    def _give_way(self, uuid: str, operation_id: int) -> None:
        with self._lock:
            for number, job in self._jobs.items():
                if number != operation_id and job.instance.uuid == uuid:
                    job.cancelled.set()

    def _forget(self, job: Job) -> None:
        with self._lock:
            self._jobs.pop(job.work.operation.id, None)

    def _run(self, job: Job, recover: bool) -> None:
        try:
            with self._only_one(job.instance.uuid):
                self._lead(job, recover)
        except exception.Stale as error:
            LOG.info('operation %s: %s', job.work.operation.id, error.message)
        except exception.Unavailable as error:
            LOG.error('operation %s cannot be reported, it will be taken up again: %s', job.work.operation.id,
                      error.message)
        finally:
            self._forget(job)

    def _lead(self, job: Job, recover: bool) -> None:
        operation = job.work.operation
        job.work = self._reporter.begin(job.context, operation.id)
        job.begun, job.current = True, job.work.operation.stage
        # One that comes again after somebody had begun it (a lease ran out) may have left things behind, too.
        job.recovering = recover or job.current not in ('', kind_of(operation.kind).first.name)
        handler = self._handlers[operation.kind]
        begin = time.monotonic()
        try:
            update = self._persist(job, handler)
        except exception.Stale as error:
            self._give_up(job, handler, error)
            raise
        except Unheard:
            raise
        except Exception as error:
            self._fail(job, handler, error)
            return
        try:
            self._reporter.finish(job.context, operation.id, update)
        except exception.Stale as error:
            self._give_up(job, handler, error)
            raise
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
        if job.current and not kind_of(job.work.operation.kind).stage(job.current).redo:
            handler.undo(job)

    @staticmethod
    def _give_up(job: Job, handler: Handler, error: exception.Stale) -> None:
        """It is no longer ours: remove what is here of it, and touch nothing that may be somebody else's.

        What is here may be the work of our successor by now, if we are not this host's worker any more.
        """
        if isinstance(error, exception.Superseded):
            return
        job.lost = True
        handler.undo(job)

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
        self._reporter.fail(job.context, operation.id, _as_value(error, job.current), update)

    def _only_one(self, uuid: str) -> Any:
        return _ServerLock(self._server_locks, self._lock, uuid)


def _as_value(error: Exception, stage: str) -> OperationError:
    if isinstance(error, exception.ComputeError):
        return OperationError(code=error.code, message=error.message, retryable=error.retryable, stage=stage,
                              hint=error.hint, status=error.status)
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        return OperationError(code='disk_full', stage=stage, retryable=True, hint='free space on that host',
                              message=f'The disk of this host is full: {error.strerror}')
    return OperationError(code='internal', stage=stage, retryable=True,
                          message=f'An unexpected error of type {type(error).__name__} stopped it on this host')


class _ServerLock:
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
