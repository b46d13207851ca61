"""Single rows: read, insert, change, delete; the stamps that every noun has are kept here."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from compute.builtin.network.db import tables as t
from compute.builtin.network.db.kinds import Clause, Kind
from compute.exception import NotFound
from compute.objects.value import now

_TYPES = {'network': ('Network', 'NetworkNotFound'), 'subnet': ('Subnet', 'SubnetNotFound'),
          'port': ('Port', 'PortNotFound'), 'security_group': ('Security group', 'SecurityGroupNotFound'),
          'security_group_rule': ('Security group rule', 'SecurityGroupRuleNotFound')}

Row = Mapping[str, Any]


def missing(kind: Kind, ident: str) -> NotFound:
    """Return the error for something that does not exist, or not for the caller."""
    title, code = _TYPES[kind.name]
    return NotFound(f'{title} {ident} could not be found.', details={'type': code})


def get(connection: Connection, kind: Kind, ident: str, *, scope: Clause | None = None, lock: bool = False) -> Row:
    """Return a row, locked until the end of the transaction if asked. :raises NotFound:"""
    query = sa.select(kind.table).where(kind.table.c.id == ident)
    if scope is not None:
        query = query.where(scope)
    if lock:
        query = query.with_for_update()
    row = connection.execute(query).first()
    if row is None:
        raise missing(kind, ident)
    return dict(row._mapping)


def insert(connection: Connection, kind: Kind, values: Mapping[str, Any]) -> Row:
    """Insert a row with an id and stamps of its own, and return it."""
    at = now()
    full = {'id': str(uuid.uuid4()), 'name': '', 'description': '', 'created_at': at, 'updated_at': at,
            'revision_number': 1, **values}
    connection.execute(kind.table.insert().values(**full))
    return get(connection, kind, full['id'])


def change(connection: Connection, kind: Kind, ident: str, values: Mapping[str, Any]) -> Row:
    """Change a row and raise its revision; return it."""
    connection.execute(kind.table.update().where(kind.table.c.id == ident).values(
        **values, updated_at=now(), revision_number=kind.table.c.revision_number + 1))
    return get(connection, kind, ident)


def delete(connection: Connection, kind: Kind, ident: str) -> None:
    """Delete a row and its tags."""
    connection.execute(t.tags.delete().where(t.tags.c.resource_id == ident))
    connection.execute(kind.table.delete().where(kind.table.c.id == ident))


def every(connection: Connection, table: sa.Table, *clauses: Any, order: Any = None) -> list[Row]:
    """Return all rows of a table that meet the clauses."""
    query = sa.select(table).where(*clauses)
    if order is not None:
        query = query.order_by(*order) if isinstance(order, tuple) else query.order_by(order)
    return [dict(row._mapping) for row in connection.execute(query)]


def by_key(rows: Iterable[Row], key: str) -> dict[Any, list[Row]]:
    """Return rows grouped by one column."""
    found: dict[Any, list[Row]] = {}
    for row in rows:
        found.setdefault(row[key], []).append(row)
    return found
