"""Lists of images: which ones a caller sees, filters, order and pages, all in one query.

A page is found by key: rows after the marker in the order of the sort keys, with the id as the last one. NULLs are
sorted as the smallest value on every database.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from compute.builtin.image.db.images import attach
from compute.builtin.image.db.tables import images, members, properties, tags
from compute.builtin.image.record import Image
from compute.db.session import Database
from compute.exception import Invalid

SORT_KEYS = frozenset(('name', 'status', 'container_format', 'disk_format', 'size', 'virtual_size', 'id',
                       'created_at', 'updated_at', 'min_disk', 'min_ram', 'owner', 'visibility', 'protected'))
_NULLABLE = {'name': '', 'container_format': '', 'disk_format': '', 'owner': '', 'size': -1, 'virtual_size': -1}
Sort = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a list is about. ``viewer`` None sees everything.

    :param equal: column -> values of which one must hold.
    :param ranges: (column, operator of gte lt lte outside, value; for outside a pair).
    :param member_status: for images shared with the viewer: a status or ``all``.
    """

    viewer: str | None
    visibility: str | None = None
    member_status: str = 'accepted'
    equal: dict[str, list[Any]] = field(default_factory=dict)
    ranges: tuple[tuple[str, str, Any], ...] = ()
    tags: tuple[str, ...] = ()
    properties: dict[str, str] = field(default_factory=dict)


def page(db: Database, wanted: Wanted, sort: Sort, limit: int, marker: str | None) -> list[Image]:
    """Return at most ``limit`` images. :raises Invalid: the marker is no image that this list could show."""
    def run(connection: sa.Connection) -> list[Image]:
        statement = sa.select(images).where(*_conditions(wanted))
        keys = _with_id(sort)
        if marker is not None:
            statement = statement.where(_after(_marker(connection, wanted, marker), keys))
        order = [_sortable(key).desc() if way == 'desc' else _sortable(key).asc() for key, way in keys]
        return attach(connection, connection.execute(statement.order_by(*order).limit(limit)))
    return db.read(run) if limit else []


def _conditions(wanted: Wanted) -> list[Any]:
    conditions = [_visible(wanted)]
    for name, values in wanted.equal.items():
        conditions.append(images.c[name].in_(values))
    for name, operator, value in wanted.ranges:
        conditions.append(_OPERATORS[operator](images.c[name], value))
    for tag in wanted.tags:
        conditions.append(sa.exists().where(tags.c.image_id == images.c.id, tags.c.tag == tag))
    for name, text in wanted.properties.items():
        conditions.append(sa.exists().where(properties.c.image_id == images.c.id, properties.c.name == name,
                                            properties.c.value == text))
    return conditions


_OPERATORS: dict[str, Any] = {
    'gte': lambda column, value: column >= value,
    'lt': lambda column, value: column < value,
    'lte': lambda column, value: column <= value,
    'outside': lambda column, value: sa.or_(column < value[0], column >= value[1]),
}


def _visible(wanted: Wanted) -> Any:
    kind, viewer = wanted.visibility, wanted.viewer
    if viewer is None:
        return sa.true() if kind in (None, 'all') else images.c.visibility == kind
    own = images.c.owner == viewer
    shared = sa.and_(images.c.visibility == 'shared', _shared_with(viewer, wanted.member_status))
    if kind in ('public', 'community'):
        return images.c.visibility == kind
    if kind == 'private':
        return sa.and_(own, images.c.visibility == 'private')
    if kind == 'shared':
        return sa.or_(sa.and_(own, images.c.visibility == 'shared'), shared)
    everybody = ['public', 'community'] if kind == 'all' else ['public']
    return sa.or_(own, images.c.visibility.in_(everybody), shared)


def _shared_with(viewer: str, status: str) -> Any:
    conditions = [members.c.image_id == images.c.id, members.c.member_id == viewer]
    if status != 'all':
        conditions.append(members.c.status == status)
    return sa.exists().where(*conditions)


def _marker(connection: sa.Connection, wanted: Wanted, marker: str) -> Any:
    conditions = [images.c.id == marker]
    if wanted.viewer is not None:
        conditions.append(sa.or_(images.c.owner == wanted.viewer, images.c.visibility.in_(('public', 'community')),
                                 _shared_with(wanted.viewer, 'all')))
    row = connection.execute(sa.select(images).where(*conditions)).first()
    if row is None:
        raise Invalid(f'marker is {marker!r}, which is no image', code='bad_marker')
    return row


def _with_id(sort: Sort) -> Sort:
    if any(key == 'id' for key, _ in sort):
        return sort
    return (*sort, ('id', sort[-1][1] if sort else 'desc'))


def _sortable(key: str) -> Any:
    column = images.c[key]
    return sa.func.coalesce(column, _NULLABLE[key]) if key in _NULLABLE else column


def _after(row: Any, keys: Sort) -> Any:
    """Rows after ``row``: larger in one key and equal in all before it."""
    alternatives: list[Any] = []
    equal: list[Any] = []
    for key, way in keys:
        value = getattr(row, key)
        value = _NULLABLE[key] if value is None and key in _NULLABLE else value
        column = _sortable(key)
        alternatives.append(sa.and_(*equal, column < value if way == 'desc' else column > value))
        equal.append(column == value)
    return sa.or_(*alternatives)


def moment(text: str) -> datetime.datetime:
    """Read an ISO 8601 time as one in UTC without a zone. :raises ValueError:"""
    parsed = datetime.datetime.fromisoformat(text.strip().replace('Z', '+00:00'))
    return parsed.astimezone(datetime.UTC).replace(tzinfo=None) if parsed.tzinfo else parsed
