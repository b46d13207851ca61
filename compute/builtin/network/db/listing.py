"""Lists: filters, sorting, keyset pages in both directions, as one query."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from compute.builtin.network.db.booleans import truth
from compute.builtin.network.db.kinds import Clause, Kind
from compute.exception import Invalid, NotFound


@dataclass(frozen=True)
class Listing:
    """What to list. A filter's values are alternatives; ``limit`` 0 means no more than the daemon's own limit."""

    filters: Mapping[str, list[str]] = field(default_factory=dict)
    sort: tuple[tuple[str, bool], ...] = ()
    limit: int = 0
    marker: str | None = None
    reverse: bool = False


@dataclass(frozen=True)
class Found:
    """A page, and whether there is something after and before it."""

    rows: list[Any]
    after: bool = False
    before: bool = False


def find(connection: Connection, kind: Kind, scope: Clause, listing: Listing) -> Found:
    """Return a page of what ``scope`` allows.

    :raises Invalid: a filter or a sort key that does not exist, or a value that does not fit.
    :raises NotFound: the marker.
    """
    clauses = [scope, *(_filter(kind, name, values) for name, values in listing.filters.items())]
    keys = _keys(kind, listing)
    if listing.marker is not None:
        clauses.append(_after(connection, kind, keys, listing.marker, scope))
    query = sa.select(kind.table).where(*clauses).order_by(*(
        key.asc() if ascending else key.desc() for key, ascending in keys))
    if listing.limit:
        query = query.limit(listing.limit + 1)
    rows = [row._mapping for row in connection.execute(query)]
    more = bool(listing.limit) and len(rows) > listing.limit
    rows = rows[:listing.limit] if more else rows
    if listing.reverse:
        return Found(rows[::-1], after=listing.marker is not None, before=more)
    return Found(rows, after=more, before=listing.marker is not None)


def _keys(kind: Kind, listing: Listing) -> list[tuple[Any, bool]]:
    names = list(listing.sort)
    if 'id' not in [name for name, _ in names]:
        names.append(('id', True))
    keys = []
    for name, ascending in names:
        column = kind.column(name)
        if column is None:
            raise Invalid(f'sort_key {name!r} is not one to sort {kind.collection} by', code='invalid_sort_key')
        keys.append((_sortable(column), ascending != listing.reverse))
    return keys


def _sortable(column: sa.Column[Any]) -> Any:
    """Databases do not agree on where NULL sorts, so it is made a value."""
    if not column.nullable:
        return column
    return sa.func.coalesce(column, -1 if isinstance(column.type, sa.Integer) else '')


def _after(connection: Connection, kind: Kind, keys: list[tuple[Any, bool]], marker: str,
           scope: Clause) -> Clause:
    # A marker that the caller does not see would tell how its attributes compare with those of visible rows.
    at = connection.execute(sa.select(*(key for key, _ in keys)).where(kind.table.c.id == marker, scope)).first()
    if at is None:
        raise NotFound(f'marker {marker}: there is no such {kind.name}')
    ways = []
    for position, (key, ascending) in enumerate(keys):
        same = [other == value for (other, _), value in zip(keys[:position], at, strict=False)]
        ways.append(sa.and_(*same, key > at[position] if ascending else key < at[position]))
    return sa.or_(*ways)


def _filter(kind: Kind, name: str, values: list[str]) -> Clause:
    if name in kind.specials:
        return kind.specials[name](values)
    if name == 'changed_since' and 'updated_at' in kind.columns:
        return kind.columns['updated_at'] >= _time(name, values[-1])
    column = kind.column(name)
    if column is None:
        raise Invalid(f'{name!r} is not an attribute to filter {kind.collection} by')
    wanted = [_convert(name, column, value) for value in values]
    missing = column.is_(None) if column.nullable and any(value in ('', 'null', 'None') for value in values) else None
    clause = column.in_([value for value in wanted if value is not None])
    return clause if missing is None else sa.or_(clause, missing)


def _convert(name: str, column: sa.Column[Any], value: str) -> Any:
    if isinstance(column.type, sa.Boolean):
        return truth(name, value)
    if isinstance(column.type, sa.Integer):
        if column.nullable and value in ('', 'null', 'None'):
            return None
        if not re.fullmatch('-?[0-9]{1,18}', value):
            raise Invalid(f'Filter {name}: {value!r} is not a number')
        return int(value)
    return _time(name, value) if isinstance(column.type, sa.DateTime) else value


def _time(name: str, value: str) -> datetime.datetime:
    try:
        moment = datetime.datetime.fromisoformat(value)
        return moment.astimezone(datetime.UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        raise Invalid(f'{name}: {value!r} is not a time such as 2026-11-20T12:00:00Z') from None
