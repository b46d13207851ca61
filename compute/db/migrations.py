"""Moves of servers: each is written in the transactions of the operations that make, confirm or revert it."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from compute import exception
from compute.db.tables import hosts
from compute.db.tables import migrations as table
from compute.objects.flavor import Flavor
from compute.objects.migration import (
    CONFIRMED,
    CONFIRMING,
    ERROR,
    FINISHED,
    MIGRATING,
    POST_MIGRATING,
    PRE_MIGRATING,
    REVERTING,
    Migration,
)
from compute.objects.value import decode, encode, now

_FLAVORS = ('old_flavor', 'new_flavor')


def from_row(row: Any) -> Migration:
    """Return the migration of a row."""
    values = dict(row._mapping)
    return Migration(**{**values, **{name: decode(Flavor, values[name]) for name in _FLAVORS}})


def insert(connection: Connection, migration: Migration) -> int:
    """Add a migration and return its id."""
    time = now()
    values = {name: encode(value) if name in _FLAVORS else value for name, value in vars(migration).items()}
    values.update(created_at=time, updated_at=time)
    del values['id']
    return int((connection.execute(table.insert().values(values)).inserted_primary_key or (0,))[0])


@dataclass(frozen=True, kw_only=True)
class WantedMigrations:
    """What to list; None is any. ``host``: as source or as destination. Times are of the last change."""

    project_id: str | None = None
    user_id: str | None = None
    instance_uuid: str | None = None
    host: str | None = None
    source_host: str | None = None
    type: str | None = None
    statuses: tuple[str, ...] | None = None
    since: datetime.datetime | None = None
    before: datetime.datetime | None = None


def page(connection: Connection, wanted: WantedMigrations, limit: int, marker: str | None = None) -> list[Migration]:
    """Return at most ``limit`` migrations, the newest first, after the one with the uuid ``marker``.

    :raises Invalid: ``marker_not_found``: the marker is none of these migrations.
    """
    conditions = _conditions(wanted)
    if marker is not None:
        at = connection.execute(sa.select(table.c.id).where(table.c.uuid == marker, *conditions)).scalar()
        if at is None:
            raise exception.Invalid(f'marker {marker} could not be found.', code='marker_not_found')
        conditions.append(table.c.id < at)
    query = sa.select(table).where(*conditions).order_by(table.c.id.desc()).limit(limit)
    return [from_row(row) for row in connection.execute(query)]


def find(connection: Connection, instance_uuid: str, number: int) -> Migration | None:
    """Return a migration of a server by its number, or None."""
    row = connection.execute(sa.select(table).where(
        table.c.id == number, table.c.instance_uuid == instance_uuid)).first()
    return from_row(row) if row is not None else None


def _conditions(wanted: WantedMigrations) -> list[sa.ColumnElement[bool]]:
    equal = {table.c.project_id: wanted.project_id, table.c.user_id: wanted.user_id,
             table.c.instance_uuid: wanted.instance_uuid, table.c.source_host: wanted.source_host,
             table.c.type: wanted.type}
    found = [column == value for column, value in equal.items() if value is not None]
    if wanted.host is not None:
        found.append(sa.or_(table.c.source_host == wanted.host, table.c.dest_host == wanted.host))
    if wanted.statuses is not None:
        found.append(table.c.status.in_(wanted.statuses))
    if wanted.since is not None:
        found.append(table.c.updated_at >= wanted.since)
    if wanted.before is not None:
        found.append(table.c.updated_at <= wanted.before)
    return found


def of_operation(connection: Connection, operation_id: int) -> Migration | None:
    """Return the migration that an operation changes, or changed last."""
    row = connection.execute(sa.select(table).where(table.c.operation_id == operation_id)).first()
    return from_row(row) if row is not None else None


def waiting(connection: Connection, instance_uuid: str, also: str | None = None) -> Migration | None:
    """Return the migration of a server that waits for a decision; locked until the transaction ends.

    :param also: a further status: that of a decision which failed half done, and may only be taken again.
    """
    statuses = [FINISHED, *([also] if also else [])]
    row = connection.execute(sa.select(table).where(
        table.c.instance_uuid == instance_uuid, table.c.status.in_(statuses)).order_by(
        table.c.id.desc()).limit(1).with_for_update()).first()
    return from_row(row) if row is not None else None


def waiting_since(connection: Connection, before: datetime.datetime, limit: int) -> list[Migration]:
    """Return migrations that wait to be confirmed since before a time, oldest first, ``limit`` at most.

    Those whose confirmation goes on are among them, since it may have failed.
    """
    query = sa.select(table).where(table.c.status.in_((FINISHED, CONFIRMING)), table.c.updated_at < before)
    return [from_row(row) for row in connection.execute(query.order_by(table.c.updated_at, table.c.id).limit(limit))]


def set_status(connection: Connection, operation_id: int, status: str, **values: Any) -> None:
    """Set the status, and other columns, of the migration that an operation changes."""
    connection.execute(table.update().where(table.c.operation_id == operation_id).values(
        status=status, updated_at=now(), **values))


def take_over(connection: Connection, migration: Migration, operation_id: int, status: str) -> None:
    """Let another operation change a migration from now on: its confirmation or its reversal."""
    connection.execute(table.update().where(table.c.id == migration.id).values(
        operation_id=operation_id, status=status, updated_at=now()))


def close(connection: Connection, instance_uuid: str) -> None:
    """End what is open of a server that is deleted: a finished move counts as confirmed, others as failed."""
    mine = table.c.instance_uuid == instance_uuid
    for status, statuses in ((CONFIRMED, (FINISHED, CONFIRMING)), (ERROR, (
            PRE_MIGRATING, MIGRATING, POST_MIGRATING, REVERTING))):
        connection.execute(table.update().where(mine, table.c.status.in_(statuses)).values(
            status=status, updated_at=now()))


def set_destination(connection: Connection, operation_id: int, host: str) -> str | None:
    """Note the host that was chosen, and return its address; None if it has none."""
    place = connection.execute(sa.select(hosts.c.node, hosts.c.host_ip).where(hosts.c.host == host)).first()
    node, address = (place.node, place.host_ip or None) if place is not None else (None, None)
    connection.execute(table.update().where(table.c.operation_id == operation_id).values(
        dest_host=host, dest_node=node, dest_ip=address, updated_at=now()))
    return address
