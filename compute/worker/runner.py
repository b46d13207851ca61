"""The frame of every operation on a host: one at a time for a server, leased, reported stage by stage, undone on failure.

An operation's file gives ``run(job)``, which returns an ``InstanceUpdate`` or raises, and may give ``undo(job)``.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any, Protocol

from compute import concurrency, exception
from compute.context import RequestContext
from compute.objects.instance import Instance
from compute.objects.kinds import kind_of
from compute.objects.operation import InstanceUpdate, OperationError, Work
from compute.worker.reports import Reporter

LOG = logging.getLogger(__name__)


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
    """Runs operations in bounded pools, one at a time for each server."""

    def __init__(self, reporter: Reporter, handlers: dict[str, Handler], builds: int, actions: int) -> None:
        self._reporter, self._handlers = reporter, handlers
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
        """Take nothing more on."""
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
        job.begun, job.recovering = True, recover
        handler = self._handlers[operation.kind]
        begin = time.monotonic()
        try:
            if recover:
                self._recover(job, handler)
            update = handler.run(job)
        except exception.Stale:
            handler.undo(job)
            raise
        except Exception as error:
            self._fail(job, handler, error)
            return
        try:
            self._reporter.finish(job.context, operation.id, update)
        except exception.Stale:
            handler.undo(job)
            raise
        LOG.info('operation %s (%s of %s) done in %.2f s', operation.id, operation.kind, job.instance.uuid,
                 time.monotonic() - begin)

    @staticmethod
    def _recover(job: Job, handler: Handler) -> None:
        """What a predecessor was doing: a stage that may not simply be done again is undone first."""
        kind, stage = kind_of(job.work.operation.kind), job.work.operation.stage
        if stage and not kind.stage(stage).redo:
            handler.undo(job)

    def _fail(self, job: Job, handler: Handler, error: Exception) -> None:
        operation = job.work.operation
        known = isinstance(error, exception.ComputeError)
        LOG.log(logging.WARNING if known else logging.ERROR, 'operation %s (%s of %s) failed at %s: %s', operation.id,
                operation.kind, job.instance.uuid, job.current, getattr(error, 'message', error), exc_info=not known)
        try:
            handler.undo(job)
            update = handler.after_failure(job)
        except exception.ComputeError as second:
            LOG.error('operation %s could not be undone: %s', operation.id, second.message)
            update = None
        self._reporter.fail(job.context, operation.id, _as_value(error, job.current), update)

    def _only_one(self, uuid: str) -> Any:
        return _ServerLock(self._server_locks, self._lock, uuid)


def _as_value(error: Exception, stage: str) -> OperationError:
    if isinstance(error, exception.ComputeError):
        return OperationError(code=error.code, message=error.message, retryable=error.retryable, stage=stage,
                              hint=error.hint, status=error.status)
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
