"""Lock a server: nobody but administrators may act on it until it is unlocked."""

from __future__ import annotations

from sqlalchemy.engine import Connection

from compute.context import RequestContext
from compute.control import operation
from compute.control.cloud import Cloud
from compute.db import instances, operations
from compute.objects.instance import Instance

OWNER, ADMIN = 'owner', 'admin'


def locker(context: RequestContext, instance: Instance) -> str:
    """Return as whom the caller locks: its own project's servers as owner, others' as administrator."""
    return OWNER if instance.project_id == context.project_id else ADMIN


def lock(cloud: Cloud, context: RequestContext, instance: Instance, reason: str | None = None) -> None:
    """Lock a server. Its owner changes nothing on one that is locked; an administrator's lock takes the place of
    his."""
    def write(connection: Connection) -> None:
        current = instances.lock(connection, instance.uuid)
        who = locker(context, current)
        if current.locked and who == OWNER:
            return
        instances.update(connection, current.uuid, locked=True)
        instances.merge_extra(connection, current.uuid, locked_by=who, locked_reason=reason)
        operations.note(connection, operation.at_once(context, current, 'lock'))
    cloud.db.transaction(write)
