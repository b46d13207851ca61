"""Confirm a resize or a cold migration: the server stays where and as it is now."""

from __future__ import annotations

from sqlalchemy.engine import Connection

from compute.context import RequestContext
from compute.control import operation
from compute.control.cloud import Cloud
from compute.control.instances.moving import waiting
from compute.db import migrations
from compute.objects.instance import Instance
from compute.objects.kinds.confirm_resize import CONFIRM_RESIZE, ConfirmArgs
from compute.objects.migration import CONFIRMING
from compute.objects.operation import Operation


def confirm_resize(cloud: Cloud, context: RequestContext, instance: Instance) -> Operation:
    """Begin to confirm the last move of a server. :raises Conflict: it waits for no decision."""
    def args(connection: Connection, current: Instance) -> ConfirmArgs:
        moved = waiting(connection, current, CONFIRMING)
        return ConfirmArgs(vm_state=moved.old_vm_state)

    def opened(connection: Connection, begun: Operation, current: Instance) -> None:
        migrations.take_over(connection, waiting(connection, current, CONFIRMING), begun.id, CONFIRMING)
    return operation.run(cloud, context, instance, CONFIRM_RESIZE, args, opened)
