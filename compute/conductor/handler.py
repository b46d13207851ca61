"""What the conductor decides of an operation. The default decides nothing: hosts do it, leg by leg."""

from __future__ import annotations

import dataclasses

from sqlalchemy.engine import Connection

from compute import context as ctx
from compute import exception, states
from compute.conductor import ending, legs
from compute.conductor.conductor import Conductor
from compute.db import instances, operations
from compute.objects.instance import Instance
from compute.objects.kinds.kind import DESTINATION
from compute.objects.operation import UNDOING, InstanceUpdate, Operation, OperationError, StageBegan, Work

NOT_UNDONE = 'undo_failed'


class ConductorHandler:
    """The handler of a kind whose stages all run on hosts; base of the others."""

    def begin(self, conductor: Conductor, context: ctx.RequestContext, operation_ids: tuple[int, ...]) -> None:
        """Begin operations that the API opened. Return soon: work that waits runs in a pool of the conductor."""
        raise exception.Invalid(f'operations {operation_ids} do not begin at a conductor', code='wrong_place')

    def resume(self, conductor: Conductor, context: ctx.RequestContext, work: Work) -> None:
        """Go on with an operation that nobody began, or whose owner is gone."""
        conductor.notify(context, work.operation)

    def advanced(self, connection: Connection, operation: Operation, instance: Instance,
                 update: InstanceUpdate) -> None:
        """Write what follows for the server when a leg, ``operation.leg``, succeeded that is not the last."""
        if values := ending.changes(update, operation.host):
            instances.update(connection, instance.uuid, **values)

    def finish(self, connection: Connection, operation: Operation, update: InstanceUpdate,
               stages: tuple[StageBegan, ...]) -> Operation | None:
        """Complete an operation whose last leg succeeded. Return it if another host has to go on with it first.

        :raises Stale: it ended before.
        """
        ending.finish(connection, operation, update, stages)
        return None

    def failed(self, conductor: Conductor, context: ctx.RequestContext, work: Work, error: OperationError) -> None:
        """Decide after a failure on a host, past the deadline, or of a host without heartbeat.

        This conductor holds the lease. The default undoes what earlier legs did, then lets the operation fail.
        """
        def write(connection: Connection) -> Operation | None:
            held = conductor.held(connection, work.operation.id)
            return None if held is None else self._failed(conductor, connection, held, work.instance, error)
        given = conductor.db.transaction(write)
        if given is not None:
            conductor.notify(context, given)

    def _failed(self, conductor: Conductor, connection: Connection, held: Operation, instance: Instance,
                error: OperationError) -> Operation | None:
        """Write what follows from a failure. Return the operation if a host is to undo a leg of it now."""
        within = conductor.conf.conductor.begin_timeout
        late = conductor.is_past_deadline(held)
        if error.code == 'host_down' and legs.may_have_started(held):
            # Started at its source again it might run twice: that host decides when it returns.
            if late:
                self._end(connection, held, instance, _not_undone(held.error or error, error))
            else:
                operations.retry_later(connection, held, legs.WAIT_FOR_HOST, error)
            return None
        if held.state != UNDOING:
            return self._undo_or_end(connection, held, instance, error, legs.last_to_undo(held, error), within)
        if error.code == 'host_down' and legs.place_of(held) == DESTINATION:
            # What is left there is removed when that host returns. A source holds the server itself.
            return self.undone(connection, held, instance, within)
        if late:
            self._end(connection, held, instance, _not_undone(held.error or error, error))
        else:
            operations.retry_later(connection, held, legs.RETRY_IN, error)
        return None

    def undone(self, connection: Connection, operation: Operation, instance: Instance,
               within: float) -> Operation | None:
        """Go on after the undo of a leg: with the leg before it, or with the end of the operation."""
        error = operation.error or OperationError(stage=operation.stage)
        return self._undo_or_end(connection, operation, instance, error, operation.leg - 1, within)

    def _undo_or_end(self, connection: Connection, operation: Operation, instance: Instance, error: OperationError,
                     last: int, within: float) -> Operation | None:
        given = legs.undo(connection, operation, instance, error, last, within)
        if given is None:
            self._end(connection, operation, instance, error)
        return given

    def _end(self, connection: Connection, operation: Operation, instance: Instance, error: OperationError) -> None:
        self.released(connection, operation, instance)
        ending.fail(connection, operation, instance, error, vm_state=self.state_after(operation, error))

    def state_after(self, operation: Operation, error: OperationError) -> str | None:
        """Return the vm_state of a server whose operation failed; None for the one that the kind declares."""
        return states.ERROR if error.code == NOT_UNDONE else None

    def released(self, connection: Connection, operation: Operation, instance: Instance) -> None:
        """Release what the operation claimed and charged: its legs are undone, and it is about to end as failed."""


def _not_undone(first: OperationError, second: OperationError) -> OperationError:
    """Return the error of an operation whose undo did not succeed within its time."""
    return dataclasses.replace(
        first, code=NOT_UNDONE, retryable=False, for_users=None,
        message=f'{first.message}; and what was done of it could not be undone ({second.message})')
