"""Looks for operations whose owner is gone and does what their kind declares. One conductor at a time does this.

An operation is overdue when nobody began it in time or its lease ran out. If it is past its deadline, or its host is
down, it fails with that reason (and a new server is tried elsewhere); otherwise it is sent again.
"""

from __future__ import annotations

import logging

from sqlalchemy.engine import Connection

from compute import context as ctx
from compute import exception, metrics
from compute.conductor.conductor import Conductor
from compute.conductor.delete import host_is_up
from compute.conductor.handler import ConductorHandler
from compute.conductor.operations import handler_of, known
from compute.db import instances, operations, services
from compute.db.session import after_commit
from compute.objects.kinds.kind import FAIL
from compute.objects.operation import CANCELLED, Operation, OperationError, Work
from compute.objects.value import now

LOG = logging.getLogger(__name__)


class Reaper:
    """The sweep."""

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor
        self._lease = f'{conductor.owner}#{conductor.incarnation}'

    def sweep(self) -> int:
        """Take up what is overdue, if this conductor may; return how many operations were touched."""
        conductor = self._conductor
        if not self._clock_is_steady() or not self._may_sweep():
            return 0
        batch, last, count = conductor.conf.conductor.reaper_batch, 0, 0
        while True:  # to the last one: those that have to wait must not hide those after them
            found = self._overdue(batch, last)
            for operation in found:
                self._try(operation)
            count += len(found)
            if len(found) < batch or not self._may_sweep():
                return count
            last = found[-1].id

    def _clock_is_steady(self) -> bool:
        """Return False for one lease after the wall clock was set, so that owners can renew their leases."""
        return self._conductor.clock.was_steady(self._conductor.conf.conductor.lease)

    def _overdue(self, limit: int, after: int) -> list[Operation]:
        return self._conductor.db.read(lambda connection: operations.overdue(connection, limit, after))

    def _may_sweep(self) -> bool:
        seconds = self._conductor.conf.conductor.reaper_interval * 3
        return self._conductor.db.transaction(lambda connection: services.take_lease(
            connection, 'reaper', self._lease, seconds))

    def _try(self, operation: Operation) -> None:
        try:
            self._take_up(operation)
        except exception.ComputeError as error:
            LOG.warning('operation %s could not be taken up: %s', operation.id, error.message)
        except Exception:  # one that breaks the sweep must not keep it from the others
            LOG.exception('operation %s could not be taken up', operation.id)

    def stop(self) -> None:
        """Let another conductor sweep at once."""
        self._conductor.db.transaction(lambda connection: services.give_lease(connection, 'reaper', self._lease))

    def _take_up(self, operation: Operation) -> None:
        conductor = self._conductor
        context = ctx.internal(operation.request_id)
        work = self._work(operation)
        if work is None:
            return
        LOG.info('operation %s (%s of %s, stage %s, owner %s) is taken up', operation.id, operation.kind,
                 operation.instance_uuid, operation.stage or 'none', operation.owner)
        handler = handler_of(operation.kind)
        fails_without_host = known(operation.kind).survives_host_down == FAIL
        late = conductor.is_past_deadline(operation)
        if not late and operation.lease_until is not None and operation.lease_until >= now():
            return  # its owner works on it: only the clock, which was set, is past the deadline
        if late:
            self._fail(handler, context, work, OperationError(
                code='deadline', stage=operation.stage, hint='see the log of the host named in the actions',
                message=f'It was not done within {_seconds(operation)} s and was given up'))
        elif operation.host and not host_is_up(conductor, operation.host) and fails_without_host:
            self._fail(handler, context, work, OperationError(
                code='host_down', retryable=True, stage=operation.stage, status=503,
                message=f'Its host {operation.host} is down', hint='start it when the host is back'))
        elif operation.id not in conductor.working():  # else a thread of ours is at it, and waits for something
            if self._postpone(operation):
                metrics.count('compute_reaper_actions_total', operation.kind, 'resent')
                conductor.submit(handler.resume, context, work)

    def _work(self, operation: Operation) -> Work | None:
        def find(connection: Connection) -> Work | None:
            instance = instances.find(connection, operation.instance_uuid)
            if instance is not None:
                return Work(operation=operation, instance=instance)
            operations.end(connection, operation, CANCELLED,
                           OperationError(code='deleted', message='The server is gone', status=404))
            after_commit(connection, lambda: metrics.count('compute_reaper_actions_total', operation.kind, 'cancelled'))
            return None
        return self._conductor.db.transaction(find)

    def _fail(self, handler: ConductorHandler, context: ctx.RequestContext, work: Work, error: OperationError) -> None:
        """Seize it first, so that its owner, should it still live, is refused from now on. One that moved is left."""
        conductor = self._conductor
        taken = conductor.db.transaction(lambda connection: operations.seize(
            connection, work.operation.id, conductor.owner, conductor.incarnation, conductor.conf.conductor.lease,
            expected=work.operation))
        if taken:
            metrics.count('compute_reaper_actions_total', work.operation.kind, 'failed')
            conductor.submit(handler.failed, context, work, error)

    def _postpone(self, operation: Operation) -> bool:
        """Free it, and give whoever is told ``begin_timeout`` before the next look; False when it moved meanwhile."""
        if not operation.host:
            return True
        return self._conductor.db.transaction(lambda connection: operations.hand_over(
            connection, operation.id, operation.host or '', self._conductor.conf.conductor.begin_timeout,
            expected=operation))


def _seconds(operation: Operation) -> int:
    if operation.deadline_at is None or operation.created_at is None:
        return 0
    return int((operation.deadline_at - operation.created_at).total_seconds())
