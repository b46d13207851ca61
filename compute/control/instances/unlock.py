"""Unlock a server."""

from __future__ import annotations

from sqlalchemy.engine import Connection

from compute.context import RequestContext
from compute.control import operation
from compute.control.cloud import Cloud
from compute.control.instances.lock import locker
from compute.db import instances, operations
from compute.objects.instance import Instance


def is_own_lock(context: RequestContext, instance: Instance) -> bool:
    """Tell whether the lock is one of the caller's kind: an owner may not undo what an administrator locked."""
    return instance.locked_by in (None, locker(context, instance))


def unlock(cloud: Cloud, context: RequestContext, instance: Instance) -> None:
    """Unlock a server; one that is not locked stays so."""
    def write(connection: Connection) -> None:
        current = instances.lock(connection, instance.uuid)
        instances.update(connection, current.uuid, locked=False)
        instances.merge_extra(connection, current.uuid, locked_by=None, locked_reason=None)
        operations.note(connection, operation.at_once(context, current, 'unlock'))
    cloud.db.transaction(write)
