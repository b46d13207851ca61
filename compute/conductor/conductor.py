"""What every operation of the conductor works with: the store, the bus, leases in this process's name, a pool."""

from __future__ import annotations

import datetime
import logging
import threading
import uuid as uuids
from collections import Counter
from collections.abc import Callable
from typing import Any

from sqlalchemy.engine import Connection

from compute import concurrency, exception, tracing
from compute.clock import ClockWatch
from compute.conductor.hearing import Hearing
from compute.context import RequestContext
from compute.control.cloud import Cloud
from compute.control.operation import notify_host
from compute.db import instances, operations
from compute.objects.operation import CANCELLED, Operation, OperationError, Work
from compute.objects.value import now

LOG = logging.getLogger(__name__)


class Conductor:
    """One process's conductor."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud, self.conf, self.db, self.rpc, self.host = cloud, cloud.conf, cloud.db, cloud.rpc, cloud.host
        self.incarnation = str(uuids.uuid4())
        self.owner = f'nova-conductor@{cloud.host}'
        self.clock = ClockWatch()
        self.hearing = Hearing(self.conf.conductor.service_down_time, watch=self.clock)
        self._working: Counter[int] = Counter()
        self._lock = threading.Lock()
        self._pool = concurrency.Pool('conductor', self.conf.conductor.pool_size, queue=5000)
        self._placing = concurrency.Pool('placing', self.conf.conductor.placing_pool_size, queue=5000)

    def submit(self, function: Callable[..., Any], context: RequestContext, work: Work | int, *more: Any) -> None:
        """Run ``function(self, context, work, *more)`` in the pool, so that an RPC thread is free again.

        ``work`` is an operation, or its id. When the pool is full, or the function breaks, its lease runs out and the
        reaper comes back to it.
        """
        number = work.operation.id if isinstance(work, Work) else work
        self._begin(self._pool, (number,), function, context, work, *more)

    def submit_placing(self, numbers: tuple[int, ...], function: Callable[..., Any], context: RequestContext,
                       *args: Any) -> None:
        """Run ``function(self, context, *args)``, which asks the scheduler, in a pool of its own."""
        self._begin(self._placing, numbers, function, context, *args)

    def _begin(self, pool: concurrency.Pool, numbers: tuple[int, ...], function: Callable[..., Any],
               context: RequestContext, *args: Any) -> None:
        with self._lock:
            self._working.update(numbers)
        try:
            self._run(pool, self._work, numbers, function, context, *args)
        except concurrency.Pool.Full as error:
            self._rest(numbers)
            LOG.warning('%s', error)

    def _run(self, pool: concurrency.Pool, function: Callable[..., Any], *args: Any) -> None:
        pool.submit(function, *args)

    def working(self) -> tuple[int, ...]:
        """Return the ids of the operations that are worked on here: their leases, and no others, are renewed."""
        with self._lock:
            return tuple(self._working)

    def _work(self, numbers: tuple[int, ...], function: Callable[..., Any], context: RequestContext,
              *args: Any) -> None:
        context.update_store()  # what this thread logs and asks for from now on carries the ids of the request
        try:
            function(self, context, *args)
        except exception.Stale as error:
            LOG.warning('%s', error.message)
        finally:
            self._rest(numbers)

    def _rest(self, numbers: tuple[int, ...]) -> None:
        with self._lock:
            for number in numbers:
                self._working[number] -= 1
                if not self._working[number]:
                    del self._working[number]

    def lease(self, operation_id: int, then: Callable[[Connection, Work], Any] | None = None) -> Work | None:
        """Take an operation for this conductor; None when it ended, is another's, or its server is gone.

        ``then`` runs in the same transaction, with what was taken.
        """
        seconds = self.conf.conductor.lease

        def take(connection: Connection) -> Work | None:
            operation = operations.lease(connection, operation_id, self.owner, self.incarnation, seconds)
            if operation is None:
                return None
            instance = instances.find(connection, operation.instance_uuid)
            if instance is None:
                operations.end(connection, operation, CANCELLED,
                               OperationError(code='deleted', message='The server is gone', status=404))
                return None
            work = Work(operation=operation, instance=instance)
            if then is not None:
                then(connection, work)
            return work
        return self.db.transaction(take)

    def lease_together(self, numbers: tuple[int, ...], then: Callable[[Connection, list[Work]], Any]) -> list[Work]:
        """Take several operations in one transaction; return those that are this conductor's and have a server.

        ``then`` runs in the same transaction. What has lost its server is left for ``lease``.
        """
        def take(connection: Connection) -> list[Work]:
            taken = operations.lease_together(connection, numbers, self.owner, self.incarnation,
                                              self.conf.conductor.lease)
            servers = instances.of_uuids(connection, [each.instance_uuid for each in taken])
            works = [Work(operation=each, instance=servers[each.instance_uuid]) for each in taken
                     if each.instance_uuid in servers]
            then(connection, works)
            return works
        return self.db.transaction(take)

    def release(self, operation: Operation, retry_in: float) -> None:
        """Give an operation back; the reaper takes it up after ``retry_in`` seconds."""
        until = now() + datetime.timedelta(seconds=retry_in)

        def give_back(connection: Connection) -> None:
            if self.holds(connection, operation.id):
                operations.set_values(connection, operation.id, owner=None, incarnation=None, lease_until=until)
        self.db.transaction(give_back)

    def holds(self, connection: Connection, operation_id: int) -> bool:
        """Tell whether an operation is still this conductor's to work on; locks it until the transaction ends.

        One that was paused for longer than its lease is not: somebody else goes on with its work.
        """
        return self.held(connection, operation_id) is not None

    def held(self, connection: Connection, operation_id: int) -> Operation | None:
        """Return an operation if it is still this conductor's to work on, locked until the transaction ends."""
        return operations.is_held(connection, operation_id, self.owner, self.incarnation)

    def begin_stage(self, connection: Connection, operation: Operation, stage: str) -> None:
        """Write that a stage begins here. :raises Stale: another conductor goes on with the operation."""
        if not self.holds(connection, operation.id):
            raise exception.Stale(f'operation {operation.id} is no longer ours at {stage}: another conductor goes on '
                                  'with it')
        operations.begin_stage(connection, operation, stage, self.host)

    def is_past_deadline(self, operation: Operation) -> bool:
        """Return whether an operation exceeded its deadline, not counting forward jumps of the wall clock."""
        if operation.deadline_at is None:
            return False
        begun = operation.created_at or operation.deadline_at
        return now() > operation.deadline_at + self.clock.set_forward_since(begun)

    def notify(self, context: RequestContext, operation: Operation) -> None:
        """Send an operation's hint to its host; a broker that is down delays it and no more."""
        try:
            notify_host(self.rpc, context, operation)
            LOG.info('operation %s (%s of %s) goes to %s', operation.id, operation.kind, operation.instance_uuid,
                     operation.host)
        except exception.Unavailable as error:
            LOG.warning('operation %s waits for the reaper: %s', operation.id, error.message)

    def stage(self, context: RequestContext, operation: Operation, name: str) -> tracing.Stages:
        """Begin the span of a stage that is done here; it ends with the block."""
        return tracing.Stages(context, operation.ref, self.host).enter(name)

    def finish(self, until: float) -> None:
        """Take no more work, end what runs, and hand back what is not done by ``until``: another goes on with it."""
        pools = (self._placing, self._pool)
        for pool in pools:
            pool.shutdown()
        for pool in pools:
            pool.finish(until)
        left = self.working()
        count = self.db.transaction(lambda connection: operations.hand_back(
            connection, left, self.owner, self.incarnation))
        if left:
            LOG.warning('%d operations are handed back, of %d that were not done: %s', count, len(left), left)

    def stop(self) -> None:
        """End; what is still leased is taken up by another after the lease."""
        for pool in (self._placing, self._pool):
            pool.shutdown()
