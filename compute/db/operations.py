"""The ledger: open, lease, note progress, end. Every change is a compare-and-swap on state and lease."""

from __future__ import annotations

import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from compute import exception
from compute.db.tables import operation_events as events_table
from compute.db.tables import operations as table
from compute.objects import operation as op
from compute.objects.operation import Operation, OperationError, OperationEvent
from compute.objects.value import decode, encode, now

_PLAIN = ('id', 'request_id', 'kind', 'instance_uuid', 'project_id', 'user_id', 'args', 'state', 'stage', 'host',
          'owner', 'incarnation', 'lease_until', 'attempt', 'deadline_at', 'created_at', 'started_at', 'finished_at',
          'updated_at')
_OPEN = (op.QUEUED, op.RUNNING)


def from_row(row: Any) -> Operation:
    """Return the operation of a row."""
    values = row._mapping
    return Operation(**{name: values[name] for name in _PLAIN},
                     error=decode(OperationError | None, values['error']))


def insert(connection: Connection, operation: Operation, idempotency_key: str | None = None) -> Operation:
    """Add an operation and return it with its id and times. ``deadline_at`` must be set."""
    time = now()
    values = {name: getattr(operation, name) for name in _PLAIN if name != 'id'}
    values.update(created_at=time, updated_at=time, error=None, args=encode(operation.args))
    result = connection.execute(table.insert().values(**values, idempotency_key=idempotency_key))
    return get(connection, int((result.inserted_primary_key or (0,))[0]))


def note(connection: Connection, operation: Operation) -> None:
    """Add an operation that is done already: nobody will work on it, users see that it was."""
    opened = insert(connection, operation)
    connection.execute(table.update().where(table.c.id == opened.id).values(
        state=op.DONE, started_at=opened.created_at, finished_at=opened.created_at, lease_until=None))


def get(connection: Connection, operation_id: int) -> Operation:
    """Return an operation. :raises NotFound:"""
    row = connection.execute(sa.select(table).where(table.c.id == operation_id)).first()
    if row is None:
        raise exception.NotFound(f'Operation {operation_id} could not be found.')
    return from_row(row)


def by_key(connection: Connection, project_id: str, key: str) -> list[Operation]:
    """Return the operations that a request with this idempotency key opened."""
    query = sa.select(table).where(table.c.project_id == project_id, table.c.idempotency_key == key)
    return [from_row(row) for row in connection.execute(query.order_by(table.c.id))]


def of_instance(connection: Connection, uuid: str, *, request_id: str | None = None, limit: int | None = None,
                marker: str | None = None, since: datetime.datetime | None = None,
                before: datetime.datetime | None = None) -> list[Operation]:
    """Return a server's operations, newest first. ``marker`` is a request id. :raises Invalid: unknown marker."""
    query = sa.select(table).where(table.c.instance_uuid == uuid).order_by(table.c.id.desc())
    if request_id is not None:
        query = query.where(table.c.request_id == request_id)
    if marker is not None:
        at = connection.execute(sa.select(sa.func.min(table.c.id)).where(
            table.c.instance_uuid == uuid, table.c.request_id == marker)).scalar()
        if at is None:
            raise exception.Invalid(f'marker [{marker}] not found', code='marker_not_found')
        query = query.where(table.c.id < at)
    if since is not None:
        query = query.where(table.c.updated_at >= since)
    if before is not None:
        query = query.where(table.c.updated_at <= before)
    return [from_row(row) for row in connection.execute(query.limit(limit) if limit else query)]


def events_of(connection: Connection, operation_id: int) -> list[OperationEvent]:
    """Return an operation's stages in the order in which they began."""
    query = sa.select(events_table).where(events_table.c.operation_id == operation_id).order_by(events_table.c.id)
    return [OperationEvent(**row._mapping) for row in connection.execute(query)]


def open_of_instance(connection: Connection, uuid: str, kinds: tuple[str, ...] | None = None) -> list[Operation]:
    """Return what goes on with a server."""
    query = sa.select(table).where(table.c.instance_uuid == uuid, table.c.state.in_(_OPEN)).order_by(table.c.id)
    if kinds is not None:
        query = query.where(table.c.kind.in_(kinds))
    return [from_row(row) for row in connection.execute(query)]


def held_on_host(connection: Connection, host: str) -> list[Operation]:
    """Return running operations whose work lies on a host."""
    query = sa.select(table).where(table.c.host == host, table.c.state.in_(_OPEN)).order_by(table.c.id)
    return [from_row(row) for row in connection.execute(query)]


def lease(connection: Connection, operation_id: int, owner: str, incarnation: str, seconds: float) -> bool:
    """Take or renew an open operation that is free, expired or already the owner's; tell whether it is now its."""
    time = now()
    mine = sa.and_(table.c.owner == owner, table.c.incarnation == incarnation)
    free = sa.or_(table.c.owner.is_(None), table.c.lease_until.is_(None), table.c.lease_until < time, mine)
    result = connection.execute(table.update().where(
        table.c.id == operation_id, table.c.state.in_(_OPEN), free).values(
        owner=owner, incarnation=incarnation, lease_until=time + datetime.timedelta(seconds=seconds),
        state=op.RUNNING, started_at=sa.func.coalesce(table.c.started_at, time), updated_at=time))
    return result.rowcount == 1


def _as_seen(expected: Operation | None) -> list[Any]:
    """Return the condition that nobody has taken, renewed or moved an operation since it was read."""
    if expected is None:
        return []
    return [table.c.owner.is_not_distinct_from(expected.owner),
            table.c.incarnation.is_not_distinct_from(expected.incarnation),
            table.c.lease_until.is_not_distinct_from(expected.lease_until)]


def seize(connection: Connection, operation_id: int, owner: str, incarnation: str, seconds: float,
          expected: Operation | None = None) -> bool:
    """Take an open operation, whoever held it: a new incarnation took over. ``expected``: only if still as it was."""
    time = now()
    result = connection.execute(table.update().where(
        table.c.id == operation_id, table.c.state.in_(_OPEN), *_as_seen(expected)).values(
        owner=owner, incarnation=incarnation, lease_until=time + datetime.timedelta(seconds=seconds),
        state=op.RUNNING, started_at=sa.func.coalesce(table.c.started_at, time), updated_at=time))
    return result.rowcount == 1


def renew(connection: Connection, ids: tuple[int, ...], owner: str, incarnation: str, seconds: float) -> set[int]:
    """Renew all of an owner's leases at once and return the ids that still are its."""
    if not ids:
        return set()
    mine = sa.and_(table.c.id.in_(ids), table.c.state == op.RUNNING, table.c.owner == owner,
                   table.c.incarnation == incarnation)
    connection.execute(table.update().where(mine).values(
        lease_until=now() + datetime.timedelta(seconds=seconds)))
    return {row.id for row in connection.execute(sa.select(table.c.id).where(mine))}


def hand_over(connection: Connection, operation_id: int, host: str, seconds: float,
              expected: Operation | None = None) -> bool:
    """Give an operation to a host: it has ``seconds`` to begin, then the reaper looks.

    ``expected``: only if it is still as it was. Tell whether it was given.
    """
    time = now()
    result = connection.execute(table.update().where(
        table.c.id == operation_id, table.c.state.in_(_OPEN), *_as_seen(expected)).values(
        host=host, owner=None, incarnation=None, updated_at=time,
        lease_until=time + datetime.timedelta(seconds=seconds)))
    return result.rowcount == 1


def is_held(connection: Connection, operation_id: int, owner: str, incarnation: str) -> Operation | None:
    """Return the operation if this owner holds it, locked until the transaction ends; else None."""
    row = connection.execute(sa.select(table).where(
        table.c.id == operation_id, table.c.state == op.RUNNING, table.c.owner == owner,
        table.c.incarnation == incarnation).with_for_update()).first()
    return from_row(row) if row is not None else None


def set_values(connection: Connection, operation_id: int, **values: Any) -> None:
    """Set columns of an operation."""
    connection.execute(table.update().where(table.c.id == operation_id).values(updated_at=now(), **values))


def begin_stage(connection: Connection, operation: Operation, stage: str, host: str) -> None:
    """Note that a stage begins; the one that was open on this operation has succeeded."""
    end_events(connection, operation.id, 'Success')
    set_values(connection, operation.id, stage=stage)
    connection.execute(events_table.insert().values(
        operation_id=operation.id, name=stage, host=host, attempt=operation.attempt, started_at=now()))


def end_events(connection: Connection, operation_id: int, result: str, details: str | None = None) -> None:
    """Close the open stages of an operation."""
    connection.execute(events_table.update().where(
        events_table.c.operation_id == operation_id, events_table.c.finished_at.is_(None)).values(
        finished_at=now(), result=result, details=details))


def end(connection: Connection, operation: Operation, state: str, error: OperationError | None = None) -> bool:
    """End an operation that is open; tell whether it was. Secrets in its arguments are forgotten."""
    args = {key: value for key, value in operation.args.items() if key != 'admin_pass'}
    result = connection.execute(table.update().where(
        table.c.id == operation.id, table.c.state.in_(_OPEN)).values(
        state=state, finished_at=now(), updated_at=now(), lease_until=None, args=args, error=encode(error)))
    if result.rowcount:
        end_events(connection, operation.id, 'Success' if state == op.DONE else 'Error',
                   error.message if error else None)
    return result.rowcount == 1


def overdue(connection: Connection, limit: int) -> list[Operation]:
    """Return open operations that nobody took, whose lease ran out, or that are past their deadline."""
    time = now()
    query = sa.select(table).where(table.c.state.in_(_OPEN), sa.or_(
        table.c.lease_until.is_(None), table.c.lease_until < time, table.c.deadline_at < time)).order_by(
        table.c.id).limit(limit)
    return [from_row(row) for row in connection.execute(query)]


def purge(connection: Connection, before: datetime.datetime, limit: int) -> int:
    """Remove ended operations of before a time with their events, ``limit`` at most; return how many."""
    old = [row.id for row in connection.execute(sa.select(table.c.id).where(
        table.c.state.in_(op.ENDED), table.c.finished_at < before).limit(limit))]
    if old:
        connection.execute(events_table.delete().where(events_table.c.operation_id.in_(old)))
        connection.execute(table.delete().where(table.c.id.in_(old)))
    return len(old)


def left_behind(connection: Connection, host: str) -> list[str]:
    """Return uuids of servers whose creation was begun on a host and went on elsewhere, failed, or was given up."""
    from compute.db.tables import instances
    query = sa.select(table.c.instance_uuid).distinct().select_from(
        table.join(events_table, events_table.c.operation_id == table.c.id)
        .join(instances, instances.c.uuid == table.c.instance_uuid)).where(
        table.c.kind == 'create', events_table.c.host == host, events_table.c.result == 'Error',
        sa.or_(instances.c.deleted == sa.true(), instances.c.host.is_(None), instances.c.host != host)).limit(10000)
    return [row.instance_uuid for row in connection.execute(query)]
