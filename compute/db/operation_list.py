"""Lists of operations, of one server or of all, a page at a time."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from compute.db.operations import from_row
from compute.db.tables import operations as table
from compute.exception import NotFound
from compute.objects.operation import Operation


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What to list; None is any. ``before``: created then or earlier."""

    instance_uuid: str | None = None
    states: tuple[str, ...] | None = None
    kinds: tuple[str, ...] | None = None
    host: str | None = None
    before: datetime.datetime | None = None


def page(connection: Connection, wanted: Wanted, limit: int, marker: int | None, *, newest_first: bool = False
         ) -> list[Operation]:
    """Return at most ``limit`` operations after the one with the id ``marker``, which need not be there any more."""
    query = sa.select(table).where(*_conditions(wanted))
    if marker is not None:
        query = query.where(table.c.id < marker if newest_first else table.c.id > marker)
    query = query.order_by(table.c.id.desc() if newest_first else table.c.id).limit(limit)
    return [from_row(row) for row in connection.execute(query)]


def of_server(connection: Connection, uuid: str, operation_id: int) -> Operation:
    """Return an operation on a server. :raises NotFound: none, or on another."""
    row = connection.execute(sa.select(table).where(table.c.id == operation_id, table.c.instance_uuid == uuid)).first()
    if row is None:
        raise NotFound(f'Operation {operation_id} on server {uuid} could not be found.', code='operation_not_found')
    return from_row(row)


def _conditions(wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.instance_uuid is not None:
        found.append(table.c.instance_uuid == wanted.instance_uuid)
    if wanted.states is not None:
        found.append(table.c.state.in_(wanted.states))
    if wanted.kinds is not None:
        found.append(table.c.kind.in_(wanted.kinds))
    if wanted.host is not None:
        found.append(table.c.host == wanted.host)
    if wanted.before is not None:
        found.append(table.c.created_at <= wanted.before)
    return found
