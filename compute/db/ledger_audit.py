"""What the auditor asks of the ledger and of the servers that it is about. Each question is one statement.

Operations and what servers show of them are written together, so that at any one moment they agree.
"""

from __future__ import annotations

import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from compute import states
from compute.db.tables import instances, migrations, operations
from compute.db.tables import operation_events as events
from compute.objects import operation as op
from compute.objects.migration import FINISHED
from compute.objects.value import encode, now

_OPEN = op.OPEN
_OPERATION = (operations.c.id, operations.c.kind, operations.c.instance_uuid, operations.c.state, operations.c.stage,
              operations.c.host, operations.c.owner, operations.c.incarnation, operations.c.lease_until,
              operations.c.deadline_at, operations.c.created_at, operations.c.updated_at)
_LIMIT = 1000


def past_deadline(connection: Connection, before: datetime.datetime) -> list[Any]:
    """Return rows of open operations whose deadline was before a time."""
    return _rows(connection, sa.select(*_OPERATION).where(
        operations.c.state.in_(_OPEN), operations.c.deadline_at < before).order_by(operations.c.id))


def unattended(connection: Connection, before: datetime.datetime) -> list[Any]:
    """Return rows of open operations that nobody has held since before a time."""
    until = sa.func.coalesce(operations.c.lease_until, operations.c.updated_at)
    return _rows(connection, sa.select(*_OPERATION).where(
        operations.c.state.in_(_OPEN), until < before).order_by(operations.c.id))


def unshown(connection: Connection) -> list[Any]:
    """Return rows of open operations that their server does not show, with what it shows; None: there is no server."""
    query = sa.select(*_OPERATION, instances.c.uuid.label('server'), instances.c.operation_id.label('shown'),
                      instances.c.task_state, instances.c.vm_state).select_from(operations.outerjoin(
                          instances, sa.and_(instances.c.uuid == operations.c.instance_uuid,
                                             instances.c.deleted == sa.false())))
    return _rows(connection, query.where(operations.c.state.in_(_OPEN), instances.c.operation_id.is_distinct_from(
        operations.c.id)).order_by(operations.c.id))


def idle_but_busy(connection: Connection) -> list[Any]:
    """Return rows of servers that show work, or are being built, with which nothing goes on, and their last work."""
    last = sa.select(sa.func.max(operations.c.id)).where(
        operations.c.instance_uuid == instances.c.uuid).scalar_subquery()
    return _rows(connection, sa.select(
        instances.c.uuid, instances.c.vm_state, instances.c.task_state, instances.c.operation_id, instances.c.host,
        instances.c.updated_at, last.label('last_operation')).where(
            instances.c.deleted == sa.false(), _shows_work(), sa.not_(_goes_on())).order_by(instances.c.id))


def servers(connection: Connection, uuid: str | None = None) -> list[Any]:
    """Return rows of all servers that are there, or of one: where they are, what goes on, and their NICs."""
    query = sa.select(instances.c.uuid, instances.c.host, instances.c.vm_state, instances.c.task_state,
                      instances.c.power_state, instances.c.operation_id, instances.c.nics,
                      instances.c.updated_at).where(instances.c.deleted == sa.false())
    return list(connection.execute(query if uuid is None else query.where(instances.c.uuid == uuid)))


def sources_of_moves(connection: Connection) -> set[tuple[str, str]]:
    """Return server and old host of all moves that wait to be confirmed or reverted."""
    return {(row.instance_uuid, row.source_host) for row in connection.execute(sa.select(
        migrations.c.instance_uuid, migrations.c.source_host).where(migrations.c.status == FINISHED))}


def open_events(connection: Connection) -> list[Any]:
    """Return rows of stages that never ended although their operation did."""
    query = sa.select(events.c.id, events.c.operation_id, events.c.name, events.c.host, events.c.started_at,
                      operations.c.instance_uuid, operations.c.state, operations.c.finished_at).select_from(
        events.join(operations, operations.c.id == events.c.operation_id))
    return _rows(connection, query.where(events.c.finished_at.is_(None), operations.c.state.in_(op.ENDED)).order_by(
        events.c.id))


def competing(connection: Connection) -> list[Any]:
    """Return servers with which several operations go on: uuid, how many, the first and the last of them."""
    return _rows(connection, sa.select(
        operations.c.instance_uuid, sa.func.count().label('count'), sa.func.min(operations.c.id).label('first'),
        sa.func.max(operations.c.id).label('last')).where(operations.c.state.in_(_OPEN)).group_by(
            operations.c.instance_uuid).having(sa.func.count() > 1).order_by(operations.c.instance_uuid))


def close_events(connection: Connection, operation_id: int) -> int:
    """Close stages of an operation that ended, at its end; return how many there were."""
    row = connection.execute(sa.select(operations.c.state, operations.c.finished_at).where(
        operations.c.id == operation_id, operations.c.state.in_(op.ENDED))).first()
    if row is None:
        return 0
    return connection.execute(events.update().where(
        events.c.operation_id == operation_id, events.c.finished_at.is_(None)).values(
            finished_at=row.finished_at or now(), result='Success' if row.state == op.DONE else 'Error')).rowcount


def settle_server(connection: Connection, uuid: str, fault: Any) -> str | None:
    """Let a server with which nothing goes on show that; one that was being built becomes ERROR with ``fault``.

    Return the vm_state that it has then; None when there was nothing to settle.
    """
    row = connection.execute(sa.select(instances.c.vm_state).where(
        instances.c.uuid == uuid, instances.c.deleted == sa.false()).with_for_update()).first()
    if row is None:
        return None
    values: dict[str, Any] = {'task_state': None, 'operation_id': None, 'updated_at': now()}
    if row.vm_state == states.BUILDING:
        values.update(vm_state=states.ERROR, fault=encode(fault))
    settled = connection.execute(instances.update().where(
        instances.c.uuid == uuid, instances.c.deleted == sa.false(), _shows_work(), sa.not_(_goes_on())).values(
            **values))
    return str(values.get('vm_state', row.vm_state)) if settled.rowcount == 1 else None


def show_operation(connection: Connection, operation_id: int, task_state: str | None) -> bool:
    """Let a server show the one operation that goes on with it; tell whether it did not before."""
    row = connection.execute(sa.select(operations.c.instance_uuid).where(
        operations.c.id == operation_id, operations.c.state.in_(_OPEN)).with_for_update()).first()
    if row is None:
        return False
    others = sa.select(operations.c.id).where(
        operations.c.instance_uuid == row.instance_uuid, operations.c.state.in_(_OPEN),
        operations.c.id != operation_id).exists()
    return connection.execute(instances.update().where(
        instances.c.uuid == row.instance_uuid, instances.c.deleted == sa.false(), sa.not_(others),
        instances.c.operation_id.is_distinct_from(operation_id)).values(
            operation_id=operation_id, task_state=task_state, updated_at=now())).rowcount == 1


def _shows_work() -> sa.ColumnElement[bool]:
    return sa.or_(instances.c.task_state.is_not(None), instances.c.operation_id.is_not(None),
                  instances.c.vm_state == states.BUILDING)


def _goes_on() -> sa.ColumnElement[bool]:
    return sa.select(operations.c.id).where(
        operations.c.instance_uuid == instances.c.uuid, operations.c.state.in_(_OPEN)).exists()


def _rows(connection: Connection, query: sa.sql.Select[Any]) -> list[Any]:
    return list(connection.execute(query.limit(_LIMIT)))
