"""What the conductor decides of an operation. The default decides nothing: the server's host does it."""

from __future__ import annotations

from sqlalchemy.engine import Connection

from compute import context as ctx
from compute import exception
from compute.conductor import ending
from compute.conductor.conductor import Conductor
from compute.objects.operation import InstanceUpdate, Operation, OperationError, StageBegan, Work


class ConductorHandler:
    """The handler of a kind whose stages all run on the server's host; base of the others."""

    def begin(self, conductor: Conductor, context: ctx.RequestContext, operation_ids: tuple[int, ...]) -> None:
        """Begin operations that the API opened. Return soon: work that waits runs in a pool of the conductor."""
        raise exception.Invalid(f'operations {operation_ids} do not begin at a conductor', code='wrong_place')

    def resume(self, conductor: Conductor, context: ctx.RequestContext, work: Work) -> None:
        """Go on with an operation that nobody began, or whose owner is gone."""
        conductor.notify(context, work.operation)

    def failed(self, conductor: Conductor, context: ctx.RequestContext, work: Work, error: OperationError) -> None:
        """Decide after a failure on a host, past the deadline, or of a host without heartbeat; this conductor holds
        the lease."""
        ending.end_failed(conductor, work, error)

    def finish(self, connection: Connection, operation: Operation, update: InstanceUpdate,
               stages: tuple[StageBegan, ...]) -> None:
        """Complete an operation whose last stage succeeded on its host. :raises Stale: it ended before."""
        ending.finish(connection, operation, update, stages)
