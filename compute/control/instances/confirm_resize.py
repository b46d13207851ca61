"""Confirm a resize or a cold migration: the server stays where and as it is now."""

from __future__ import annotations

from sqlalchemy.engine import Connection

from compute import exception
from compute.context import RequestContext
from compute.control import operation
from compute.control.cloud import Cloud
from compute.db import migrations
from compute.objects.instance import Instance
from compute.objects.kinds.confirm_resize import CONFIRM_RESIZE, ConfirmArgs
from compute.objects.migration import CONFIRMING, Migration
from compute.objects.operation import Operation


def confirm_resize(cloud: Cloud, context: RequestContext, instance: Instance) -> Operation:
    """Begin to confirm the last move of a server. :raises Conflict: it waits for no decision."""
    def args(connection: Connection, current: Instance) -> ConfirmArgs:
        moved = _waiting(connection, current)
        return ConfirmArgs(vm_state=moved.old_vm_state)

    def opened(connection: Connection, begun: Operation, current: Instance) -> None:
        migrations.take_over(connection, _waiting(connection, current), begun.id, CONFIRMING)
    return operation.run(cloud, context, instance, CONFIRM_RESIZE, args, opened)


def _waiting(connection: Connection, instance: Instance) -> Migration:
    moved = migrations.waiting(connection, instance.uuid)
    if moved is None:
        raise exception.Conflict(f'Server {instance.uuid} has no finished migration that waits for a decision',
                                 code='wrong_state')
    return moved
