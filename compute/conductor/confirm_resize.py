"""The ``confirm_resize`` of a conductor: the old place is released."""

from __future__ import annotations

from sqlalchemy.engine import Connection

from compute import context as ctx
from compute.conductor import ending
from compute.conductor.conductor import Conductor
from compute.conductor.delete import host_is_up
from compute.conductor.moving import ConductorSettled
from compute.db import claims, instances, migrations, quotas
from compute.objects import migration
from compute.objects.instance import Instance
from compute.objects.kinds.confirm_resize import CONFIRM_RESIZE
from compute.objects.operation import InstanceUpdate, Operation, StageBegan, Work
from compute.objects.request_spec import OUTGOING


class ConductorConfirm(ConductorSettled):
    """Lets the source remove what it kept, then releases the outgoing claim and what a smaller flavor frees."""

    def resume(self, conductor: Conductor, context: ctx.RequestContext, work: Work) -> None:
        """Notify the source again; without its heartbeat the move is confirmed all the same."""
        host = work.operation.host
        if host is None or host_is_up(conductor, host):
            super().resume(conductor, context, work)
            return

        def settle(connection: Connection, taken: Work) -> None:
            self.finish(connection, taken.operation, InstanceUpdate(), ())
        conductor.lease(work.operation.id, settle)

    def finish(self, connection: Connection, operation: Operation, update: InstanceUpdate,
               stages: tuple[StageBegan, ...]) -> Operation | None:
        instance = instances.get(connection, operation.instance_uuid)
        claims.release(connection, instance.uuid, OUTGOING)
        quotas.recharge_server(connection, instance.project_id, instance.uuid, cores=instance.flavor.vcpus,
                               ram=instance.flavor.memory_mb)
        migrations.set_status(connection, operation.id, migration.CONFIRMED)
        args = CONFIRM_RESIZE.args_of(operation.args)
        ending.finish(connection, operation, InstanceUpdate(vm_state=args.vm_state, clear_fault=True), stages)
        return None

    def released(self, connection: Connection, operation: Operation, instance: Instance) -> None:
        """The server waits for a decision again. Once the source has begun that can only be a confirmation."""
        status = migration.CONFIRMING if operation.stage else migration.FINISHED
        migrations.set_status(connection, operation.id, status)
