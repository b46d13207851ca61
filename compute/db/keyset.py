"""Pages by key instead of by offset: the order of a list, and the condition for what comes after a row.

Nulls come first when ascending and last when descending, on every database (left alone, they differ).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

Key = tuple[Any, str]
"""A column and ``asc`` or ``desc``. The last key of an order must be unique."""


def order(keys: list[Key]) -> list[Any]:
    """Return the ORDER BY of ``keys``."""
    terms: list[Any] = []
    for column, direction in keys:
        descending = direction == 'desc'
        if column.nullable:
            rank = sa.case((column.is_(None), 0), else_=1)
            terms.append(rank.desc() if descending else rank.asc())
        terms.append(column.desc() if descending else column.asc())
    return terms


def after(keys: list[Key], row: Any) -> Any:
    """Return the condition for rows behind ``row``: (a > x) or (a = x and b > y) or ..."""
    return _after(keys, lambda column: row._mapping[column.name])


def after_marker(keys: list[Key], look: Callable[[Any], Any]) -> Any:
    """Return the condition for rows behind a marker that the same query looks up. No key may be nullable.

    ``look`` takes a column and returns the scalar subquery of its value in the marker's row. Databases work it out once
    and choose their index as for a constant. Nothing is behind a marker that is not there.
    """
    return _after(keys, look)


def _after(keys: list[Key], look: Callable[[Any], Any]) -> Any:
    terms: list[Any] = []
    same: list[Any] = []
    for column, direction in keys:
        value = look(column)
        terms.append(sa.and_(*same, _beyond(column, direction, value)))
        same.append(column.is_(None) if value is None else column == value)
    return sa.or_(*terms)


def _beyond(column: Any, direction: str, value: Any) -> Any:
    if value is None:
        return column.is_not(None) if direction == 'asc' else sa.false()
    if direction == 'asc':
        return column > value
    return sa.or_(column < value, column.is_(None)) if column.nullable else column < value
