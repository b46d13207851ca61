"""Revert a resize or a cold migration: the server goes back to its old host and flavor."""

from __future__ import annotations

from sqlalchemy.engine import Connection

from compute.context import RequestContext
from compute.control import operation
from compute.control.cloud import Cloud
from compute.control.instances.moving import waiting
from compute.db import migrations
from compute.objects.instance import Instance
from compute.objects.kinds.revert_resize import REVERT_RESIZE, RevertArgs
from compute.objects.migration import REVERTING
from compute.objects.operation import Operation


def revert_resize(cloud: Cloud, context: RequestContext, instance: Instance) -> Operation:
    """Begin to revert the last move of a server. :raises Conflict: it waits for no decision."""
    def args(connection: Connection, current: Instance) -> RevertArgs:
        moved = waiting(connection, current, REVERTING)
        return RevertArgs(flavor=moved.old_flavor, vm_state=moved.old_vm_state)

    def opened(connection: Connection, begun: Operation, current: Instance) -> None:
        migrations.take_over(connection, waiting(connection, current, REVERTING), begun.id, REVERTING)
    return operation.run(cloud, context, instance, REVERT_RESIZE, args, opened)
