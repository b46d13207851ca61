"""Single rows: read, insert, change, delete; the stamps that every noun has are kept here."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
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
    query = _one(kind.table, lock)
    if scope is not None:
        query = query.where(scope)
    row = connection.execute(query, {'ident': ident}).first()
    if row is None:
        raise missing(kind, ident)
    return dict(row._mapping)


def get_with_network(connection: Connection, kind: Kind, ident: str, scope: Clause) -> Row:
    """Return a row and, of what is on a network, ``network_project_id`` and ``network_shared``. :raises NotFound:"""
    if 'network_id' not in kind.table.c:
        return get(connection, kind, ident, scope=scope)
    row = connection.execute(_with_network(kind.table).where(scope), {'ident': ident}).first()
    if row is None:
        raise missing(kind, ident)
    return dict(row._mapping)


def insert(connection: Connection, kind: Kind, values: Mapping[str, Any]) -> Row:
    """Insert a row with an id, stamps and defaults, and return it as it would be read."""
    at = now()
    full = {**{name: make() for name, make in _defaults(kind.table)}, 'id': str(uuid.uuid4()), 'created_at': at,
            'updated_at': at, **values}
    connection.execute(kind.table.insert(), full)
    return full


@contextmanager
def tried(connection: Connection) -> Iterator[None]:
    """Let one statement break a constraint without harm to the transaction; the error is the caller's to catch.

    PostgreSQL needs a savepoint for that. The others undo such a statement by themselves.
    """
    if connection.dialect.name != 'postgresql':
        yield
        return
    with connection.begin_nested():
        yield


def change(connection: Connection, kind: Kind, ident: str, values: Mapping[str, Any]) -> Row:
    """Change a row and raise its revision; return it."""
    connection.execute(kind.table.update().where(kind.table.c.id == ident).values(
        **values, updated_at=now(), revision_number=kind.table.c.revision_number + 1))
    return get(connection, kind, ident)


def delete(connection: Connection, kind: Kind, ident: str) -> None:
    """Delete a row and its tags."""
    connection.execute(t.tags.delete().where(t.tags.c.resource_id == ident))
    connection.execute(kind.table.delete().where(kind.table.c.id == ident))


@functools.cache
def _one(table: sa.Table, lock: bool) -> sa.Select[Any]:
    """Return the query of a row by its id: made once, for it is asked more than all others."""
    query = sa.select(table).where(table.c.id == sa.bindparam('ident'))
    return query.with_for_update() if lock else query


@functools.cache
def _with_network(table: sa.Table) -> sa.Select[Any]:
    around = t.networks.alias()  # scopes ask the table itself
    return sa.select(table, around.c.project_id.label('network_project_id'),
                     around.c.shared.label('network_shared')).join(
        around, around.c.id == table.c.network_id).where(table.c.id == sa.bindparam('ident'))


@functools.cache
def _defaults(table: sa.Table) -> tuple[tuple[str, Callable[[], Any]], ...]:
    """Return the default of a column."""
    return tuple((column.name, _default(column.default)) for column in table.columns)


def default_of(column: sa.Column[Any]) -> Any:
    """Return the default of a column."""
    return _default(column.default)()


def _default(default: Any) -> Callable[[], Any]:
    value = default.arg if default is not None else None
    return functools.partial(value, None) if callable(value) else lambda: value


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
