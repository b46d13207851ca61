"""The ``revert_resize`` of a conductor: the server goes back to its old place and flavor."""

from __future__ import annotations

from sqlalchemy.engine import Connection

from compute import states
from compute.conductor.moving import ConductorSettled
from compute.db import claims, instances, migrations, quotas
from compute.objects import migration
from compute.objects.instance import Instance
from compute.objects.kinds.revert_resize import REVERT_RESIZE
from compute.objects.operation import InstanceUpdate, Operation, OperationError, StageBegan


class ConductorRevert(ConductorSettled):
    """Lets the new place be cleaned, moves the server back, and lets the source start it."""

    def advanced(self, connection: Connection, operation: Operation, instance: Instance,
                 update: InstanceUpdate) -> None:
        """The new place is clean: from here on the server is at its old one."""
        super().advanced(connection, operation, instance, update)
        args = REVERT_RESIZE.args_of(operation.args)
        claims.settle_back(connection, instance.uuid)
        instances.set_flavor(connection, instance.uuid, args.flavor)
        quotas.recharge_server(connection, instance.project_id, instance.uuid, cores=args.flavor.vcpus,
                               ram=args.flavor.memory_mb)

    def finish(self, connection: Connection, operation: Operation, update: InstanceUpdate,
               stages: tuple[StageBegan, ...]) -> Operation | None:
        migrations.set_status(connection, operation.id, migration.REVERTED)
        return super().finish(connection, operation, update, stages)

    def released(self, connection: Connection, operation: Operation, instance: Instance) -> None:
        """Write the status of the migration.

        The server waits for a decision again, and once its new place has begun that can only be a reversal. When it has
        moved back it is reverted, started or not.
        """
        begun = migration.REVERTING if operation.stage else migration.FINISHED
        status = begun if operation.leg == 0 else migration.REVERTED
        migrations.set_status(connection, operation.id, status)

    def state_after(self, operation: Operation, error: OperationError) -> str | None:
        """A server that moved back and could not be started is in ERROR: a hard reboot tries again."""
        return states.ERROR if operation.leg else super().state_after(operation, error)
