"""The ledger: open, lease, note progress, end. Every change is a compare-and-swap on state and lease."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from compute import exception, metrics
from compute.db.session import after_commit
from compute.db.tables import claims, hosts
from compute.db.tables import operation_events as events_table
from compute.db.tables import operations as table
from compute.objects import operation as op
from compute.objects.kinds import KINDS, without_secrets
from compute.objects.operation import Operation, OperationError, OperationEvent, StageBegan
from compute.objects.value import decode, encode, now

_PLAIN = ('id', 'request_id', 'kind', 'instance_uuid', 'project_id', 'user_id', 'args', 'state', 'stage', 'leg', 'host',
          'owner', 'incarnation', 'lease_until', 'attempt', 'deadline_at', 'created_at', 'started_at', 'finished_at',
          'updated_at')
_OPEN = op.OPEN
_HELD_STATES = (op.RUNNING, op.UNDOING)
_OLDEST = 86400.0
_BEGUN = sa.case((table.c.state == op.UNDOING, op.UNDOING), else_=op.RUNNING)
# The statements of every report, made once: to make them costs more than to run them.
_HELD = sa.select(table).where(
    table.c.id == sa.bindparam('id'), table.c.state.in_(_HELD_STATES), table.c.owner == sa.bindparam('owner'),
    table.c.incarnation == sa.bindparam('incarnation')).with_for_update()
_GIVEN = table.update().where(table.c.id == sa.bindparam('_id')).values(
    owner=None, incarnation=None, **{name: sa.bindparam(name) for name in (
        'host', 'leg', 'plan', 'updated_at', 'lease_until')})


def from_row(row: Any) -> Operation:
    """Return the operation of a row."""
    values = row._mapping
    return Operation(**{name: values[name] for name in _PLAIN}, plan=values['plan'] or {},
                     error=decode(OperationError | None, values['error']))


def insert(connection: Connection, operation: Operation) -> Operation:
    """Add an operation and return it with its id and times. ``deadline_at`` must be set."""
    time = now()
    values = {name: getattr(operation, name) for name in _PLAIN if name != 'id'}
    values.update(created_at=time, updated_at=time, error=None, args=encode(operation.args),
                  plan=encode(operation.plan))
    result = connection.execute(table.insert().values(**values))
    return dataclasses.replace(operation, id=int((result.inserted_primary_key or (0,))[0]), created_at=time,
                               updated_at=time)


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


def of_request(connection: Connection, request_id: str, kind: str | None = None) -> list[Operation]:
    """Return the operations, of one kind or all, that a request opened, oldest first."""
    query = sa.select(table).where(table.c.request_id == request_id).order_by(table.c.id)
    if kind is not None:
        query = query.where(table.c.kind == kind)
    return [from_row(row) for row in connection.execute(query)]


def of_instance(connection: Connection, uuid: str, *, request_id: str | None = None, kinds: Sequence[str] | None = None,
                limit: int | None = None, marker: str | None = None, since: datetime.datetime | None = None,
                before: datetime.datetime | None = None) -> list[Operation]:
    """Return a server's operations, newest first. ``marker`` is a request id. :raises Invalid: unknown marker."""
    query = sa.select(table).where(table.c.instance_uuid == uuid).order_by(table.c.id.desc())
    if request_id is not None:
        query = query.where(table.c.request_id == request_id)
    if kinds is not None:
        query = query.where(table.c.kind.in_(kinds))
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
    return [from_row(row) for row in connection.execute(query if limit is None else query.limit(limit))]


def events_of(connection: Connection, operation_id: int) -> list[OperationEvent]:
    """Return an operation's stages in the order in which they began."""
    query = sa.select(events_table).where(events_table.c.operation_id == operation_id).order_by(events_table.c.id)
    return [OperationEvent(**row._mapping) for row in connection.execute(query)]


def ran_on(connection: Connection, operation_id: int, host: str) -> bool:
    """Return whether a stage of an operation ran on a host."""
    query = sa.select(events_table.c.id).where(events_table.c.operation_id == operation_id,
                                               events_table.c.host == host).limit(1)
    return connection.execute(query).first() is not None


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


def lease(connection: Connection, operation_id: int, owner: str, incarnation: str, seconds: float,
          *conditions: sa.ColumnElement[bool], host: str | None = None) -> Operation | None:
    """Take or renew an open operation that is free, expired or already the owner's; return it if it is now its.

    ``host``: only if that host has to do it. ``conditions``: only where these hold, too. What is returned shows as
    ``updated_at`` when it changed before: when its last stage began.
    """
    which = [table.c.id == operation_id, *conditions]
    if host is not None:
        which.append(table.c.host == host)
    taken = _take(connection, which, owner, incarnation, seconds)
    return taken[0] if taken else None


def lease_together(connection: Connection, ids: Collection[int], owner: str, incarnation: str,
                   seconds: float) -> list[Operation]:
    """Do the same with several operations; return those that are now the owner's."""
    return _take(connection, [table.c.id.in_(ids)], owner, incarnation, seconds)


def _take(connection: Connection, which: list[sa.ColumnElement[bool]], owner: str, incarnation: str,
          seconds: float) -> list[Operation]:
    time = now()
    mine = sa.and_(table.c.owner == owner, table.c.incarnation == incarnation)
    free = sa.or_(table.c.owner.is_(None), table.c.lease_until.is_(None), table.c.lease_until < time, mine)
    where = [*which, table.c.state.in_(_OPEN), free]
    rows = connection.execute(sa.select(table).where(*where).order_by(table.c.id).with_for_update()).all()
    if not rows:
        return []
    values: dict[str, Any] = {
        'owner': owner, 'incarnation': incarnation, 'updated_at': time,
        'lease_until': time + datetime.timedelta(seconds=seconds)}
    # The rows are locked and were free: the same where again would find them.
    found = table.c.id == rows[0].id if len(rows) == 1 else table.c.id.in_([row.id for row in rows])
    connection.execute(table.update().where(found).values(
        **values, state=_BEGUN, started_at=sa.func.coalesce(table.c.started_at, time)))
    return [dataclasses.replace(from_row(row), **{
        **values, 'started_at': row.started_at or time, 'updated_at': row.updated_at,
        'state': op.UNDOING if row.state == op.UNDOING else op.RUNNING}) for row in rows]


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
        state=_BEGUN, started_at=sa.func.coalesce(table.c.started_at, time), updated_at=time))
    return result.rowcount == 1


def renew(connection: Connection, ids: tuple[int, ...], owner: str, incarnation: str, seconds: float) -> set[int]:
    """Renew all of an owner's leases at once and return the ids that still are its."""
    if not ids:
        return set()
    mine = sa.and_(table.c.id.in_(ids), table.c.state.in_(_HELD_STATES), table.c.owner == owner,
                   table.c.incarnation == incarnation)
    connection.execute(table.update().where(mine).values(
        lease_until=now() + datetime.timedelta(seconds=seconds)))
    return {row.id for row in connection.execute(sa.select(table.c.id).where(mine))}


def hand_back(connection: Connection, ids: tuple[int, ...], owner: str, incarnation: str) -> int:
    """Free what an owner that stops holds, or was about to take: the next sweep takes it up. Return how many."""
    if not ids:
        return 0
    mine = sa.and_(table.c.owner == owner, table.c.incarnation == incarnation)
    waiting = sa.and_(table.c.owner.is_(None), table.c.host.is_(None))
    result = connection.execute(table.update().where(
        table.c.id.in_(ids), table.c.state.in_(_OPEN), sa.or_(mine, waiting)).values(
        owner=None, incarnation=None, lease_until=now(), updated_at=now()))
    return int(result.rowcount)


def hand_over(connection: Connection, operation_id: int, host: str | None, seconds: float,
              expected: Operation | None = None, **values: Any) -> bool:
    """Give an operation to a host: it has ``seconds`` to begin, then the reaper looks.

    ``expected``: only if it is still as it was. ``values``: further columns to set. Tell whether it was given.
    """
    time = now()
    result = connection.execute(table.update().where(
        table.c.id == operation_id, table.c.state.in_(_OPEN), *_as_seen(expected)).values(
        host=host, owner=None, incarnation=None, updated_at=time,
        lease_until=time + datetime.timedelta(seconds=seconds), **values))
    return result.rowcount == 1


def hand_over_together(connection: Connection, given: Sequence[Operation], seconds: float) -> None:
    """Give operations, whose rows are locked and held, to hosts, as these values say; see ``hand_over``."""
    time = now()
    until = time + datetime.timedelta(seconds=seconds)
    connection.execute(_GIVEN, [{'_id': each.id, 'host': each.host, 'leg': each.leg, 'plan': each.plan,
                                 'updated_at': time, 'lease_until': until} for each in given])


def held_together(connection: Connection, ids: Collection[int], owner: str, incarnation: str) -> list[Operation]:
    """Return those of these operations that this owner holds, locked until the transaction ends."""
    query = sa.select(table).where(
        table.c.id.in_(ids), table.c.state.in_(_HELD_STATES), table.c.owner == owner,
        table.c.incarnation == incarnation).order_by(table.c.id).with_for_update()
    return [from_row(row) for row in connection.execute(query)]


def is_held(connection: Connection, operation_id: int, owner: str, incarnation: str) -> Operation | None:
    """Return the operation if this owner holds it, locked until the transaction ends; else None."""
    row = connection.execute(_HELD, {'id': operation_id, 'owner': owner, 'incarnation': incarnation}).first()
    return from_row(row) if row is not None else None


def newest_of_worker(connection: Connection, uuids: Collection[str], owner: str, incarnation: str) -> dict[str, int]:
    """Return the newest operation of each server that this very process of a worker holds, or has ended well."""
    query = sa.select(table.c.instance_uuid, sa.func.max(table.c.id).label('newest')).where(
        table.c.instance_uuid.in_(uuids), table.c.owner == owner, table.c.incarnation == incarnation)
    return {row.instance_uuid: row.newest for row in connection.execute(query.group_by(table.c.instance_uuid))}


def retry_later(connection: Connection, operation: Operation, seconds: float, error: OperationError) -> None:
    """Release the lease of an operation that failed for now; the reaper takes it up after ``seconds``."""
    end_events(connection, operation.id, 'Error', error.message)
    set_values(connection, operation.id, attempt=operation.attempt + 1, owner=None, incarnation=None,
               lease_until=now() + datetime.timedelta(seconds=seconds))


def set_values(connection: Connection, operation_id: int, **values: Any) -> None:
    """Set columns of an operation."""
    connection.execute(table.update().where(table.c.id == operation_id).values(updated_at=now(), **values))


def begin_stage(connection: Connection, operation: Operation, stage: str, host: str) -> None:
    """Note that a stage begins; the one that was open on this operation has succeeded."""
    begin_stages(connection, operation, (StageBegan(name=stage),), host)


def begin_stages(connection: Connection, operation: Operation, stages: Sequence[StageBegan], host: str) -> None:
    """Note stages that began one after the other; the last goes on, the one that was open before has succeeded."""
    set_values(connection, operation.id, stage=stages[-1].name)
    _add_events(connection, operation, stages, host)


def begin_stage_together(connection: Connection, operations: Sequence[Operation], stage: str, host: str) -> None:
    """Note that a stage begins on each of these operations."""
    fresh = [each for each in operations if not each.stage]
    for each in operations:
        if each.stage:
            begin_stage(connection, each, stage, host)
    if fresh:
        time = now()
        connection.execute(table.update().where(table.c.id.in_([each.id for each in fresh])).values(
            stage=stage, updated_at=time))
        connection.execute(events_table.insert(), [
            {'operation_id': each.id, 'name': stage, 'host': host, 'attempt': each.attempt, 'started_at': time}
            for each in fresh])


def _add_events(connection: Connection, operation: Operation, stages: Sequence[StageBegan], host: str,
                result: str | None = None, details: str | None = None) -> None:
    """Add the events of stages; ``result``: of the last one, which has ended as well."""
    time = now()
    begun = [time - datetime.timedelta(seconds=min(max(each.ago, 0.0), _OLDEST)) for each in stages]
    if operation.stage:  # without one none is open
        end_events(connection, operation.id, 'Success', at=begun[0])
        _measure_stage(connection, operation, 'Success', begun[0])
    rows: list[dict[str, Any]] = [
        {'operation_id': operation.id, 'name': each.name, 'host': host, 'attempt': operation.attempt, 'started_at': at,
         'finished_at': after, 'result': 'Success', 'details': None}
        for each, at, after in zip(stages, begun, [*begun[1:], None], strict=True)]
    rows[-1].update(finished_at=time if result else None, result=result, details=details)
    connection.execute(events_table.insert(), rows)
    for row in rows:
        if row['finished_at'] is not None:
            _measure(connection, operation, row['name'], row['result'], row['started_at'], row['finished_at'])


def end_events(connection: Connection, operation_id: int, result: str, details: str | None = None,
               at: datetime.datetime | None = None) -> None:
    """Close the open stages of an operation."""
    connection.execute(events_table.update().where(
        events_table.c.operation_id == operation_id, events_table.c.finished_at.is_(None)).values(
        finished_at=at or now(), result=result, details=details))


def end(connection: Connection, operation: Operation, state: str, error: OperationError | None = None,
        stages: Sequence[StageBegan] = ()) -> bool:
    """End an operation that is open; tell whether it was. Secrets in its arguments and its plan are forgotten.

    ``stages``: those that its host did not tell before.
    """
    args = without_secrets(operation.kind, operation.args)
    time = now()
    values = {'state': state, 'finished_at': time, 'updated_at': time, 'lease_until': None, 'args': args,
              'error': encode(error), **({'stage': stages[-1].name} if stages else {})}
    if (kind := KINDS.get(operation.kind)) is not None and kind.has_secret_plan:
        plan = connection.execute(sa.select(table.c.plan).where(table.c.id == operation.id)).scalar()
        values['plan'] = kind.plan_without_secrets(plan or {})
    ended = connection.execute(table.update().where(
        table.c.id == operation.id, table.c.state.in_(_OPEN)).values(values)).rowcount == 1
    result, details = 'Success' if state == op.DONE else 'Error', error.text if error else None
    if ended and stages:
        _add_events(connection, operation, stages, operation.host or '', result, details)
    elif ended:
        end_events(connection, operation.id, result, details)
        _measure_stage(connection, operation, result, time)
    if ended:
        after_commit(connection, lambda: _measure_end(operation, state))
    return ended


def _measure_end(operation: Operation, state: str) -> None:
    metrics.count('compute_operations_ended_total', operation.kind, state)
    if operation.created_at is not None:
        metrics.observe('compute_operation_seconds', (now() - operation.created_at).total_seconds(), operation.kind,
                        state)


def _measure_stage(connection: Connection, operation: Operation, result: str, ended: datetime.datetime) -> None:
    """Take in how long the stage that ends took: its row was changed last when that began."""
    if operation.stage and operation.updated_at is not None:
        _measure(connection, operation, operation.stage, result, operation.updated_at, ended)


def _measure(connection: Connection, operation: Operation, stage: str, result: str, begun: datetime.datetime,
             ended: datetime.datetime) -> None:
    seconds = max(0.0, (ended - begun).total_seconds())
    after_commit(connection, lambda: metrics.observe(
        'compute_operation_stage_seconds', seconds, operation.kind, stage, result))


def overdue(connection: Connection, limit: int, after: int = 0) -> list[Operation]:
    """Return open operations that nobody took, whose lease ran out, or that are past their deadline.

    By id, at most ``limit`` with ids above ``after``.
    """
    time = now()
    query = sa.select(table).where(table.c.id > after, table.c.state.in_(_OPEN), sa.or_(
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


def left_behind(connection: Connection, host: str, uuids: Collection[str]) -> list[str]:
    """Return those of these servers on which an operation failed on a host, and which claim nothing there any more."""
    claimed = sa.select(claims.c.id).select_from(claims.join(hosts, hosts.c.id == claims.c.host_id)).where(
        claims.c.instance_uuid == table.c.instance_uuid, hosts.c.host == host).exists()
    query = sa.select(table.c.instance_uuid).distinct().select_from(
        table.join(events_table, events_table.c.operation_id == table.c.id)).where(
        table.c.instance_uuid.in_(uuids), events_table.c.host == host, events_table.c.result == 'Error', ~claimed)
    return [row.instance_uuid for row in connection.execute(query)]
