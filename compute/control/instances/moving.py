"""What resizes and cold migrations share: the row of the migration, and the operation that makes it."""

from __future__ import annotations

import uuid as uuids

from sqlalchemy.engine import Connection

from compute import exception
from compute.context import RequestContext
from compute.control import operation
from compute.control.cloud import Cloud
from compute.db import migrations, quotas
from compute.objects.flavor import Flavor
from compute.objects.instance import Instance
from compute.objects.kinds import Kind
from compute.objects.kinds.moving import MoveArgs, MovePlan
from compute.objects.migration import PRE_MIGRATING, Migration
from compute.objects.operation import Operation


def move(cloud: Cloud, context: RequestContext, instance: Instance, kind: Kind[MoveArgs, MovePlan], flavor: Flavor,
         migration_type: str, host: str | None = None) -> Operation:
    """Begin to move a server: the operation, the migration and the charge of a larger flavor are one transaction.

    :raises Conflict: the state does not allow it. :raises OverQuota: the larger flavor does not fit.
    """
    def args(connection: Connection, current: Instance) -> MoveArgs:
        return MoveArgs(flavor=flavor, vm_state=current.vm_state, host=host)

    def opened(connection: Connection, begun: Operation, current: Instance) -> None:
        limits = quotas.limits_of(connection, cloud.conf, current.project_id, current.user_id, binding=True)
        quotas.charge_server(connection, limits, current.project_id, current.uuid, cores=flavor.vcpus,
                             ram=flavor.memory_mb)
        migrations.insert(connection, Migration(
            uuid=str(uuids.uuid4()), instance_uuid=current.uuid, project_id=current.project_id,
            user_id=context.user_id or '', operation_id=begun.id, type=migration_type, status=PRE_MIGRATING,
            source_host=current.host or '', source_node=current.node or '', old_flavor=current.flavor,
            new_flavor=flavor, old_vm_state=current.vm_state))
    return operation.run(cloud, context, instance, kind, args, opened)


def waiting(connection: Connection, instance: Instance, also: str) -> Migration:
    """Return the last move of a server, which waits for a decision.

    A decision that failed after its host began may have removed the files of the other one: it may only be taken again.

    :param also: the status of the migration after this decision failed. :raises Conflict: it does not wait.
    """
    moved = migrations.waiting(connection, instance.uuid, also)
    if moved is None:
        raise exception.Conflict(f'Server {instance.uuid} has no finished migration that waits for this decision',
                                 code='wrong_state', hint='see the status of its migrations')
    return moved
