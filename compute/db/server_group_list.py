"""Server groups with their members, for whoever owns them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from compute.db.tables import instances
from compute.db.tables import server_groups as table
from compute.exception import NotFound
from compute.objects.server_group import ServerGroupRecord

_FIELDS = ('uuid', 'project_id', 'user_id', 'name', 'policy')


def get(connection: Connection, uuid: str, project_id: str | None = None) -> ServerGroupRecord:
    """Return a group, of any project when ``project_id`` is None. :raises NotFound: none, or another's."""
    query = sa.select(table).where(table.c.uuid == uuid)
    if project_id is not None:
        query = query.where(table.c.project_id == project_id)
    found = _records(connection, query)
    if not found:
        raise NotFound(f'Instance group {uuid} could not be found.', code='group_not_found')
    return found[0]


def page(connection: Connection, project_id: str | None = None, *, limit: int | None = None, offset: int = 0
         ) -> list[ServerGroupRecord]:
    """Return groups in the order in which they were made, of all projects when ``project_id`` is None."""
    query = sa.select(table).order_by(table.c.id)
    if project_id is not None:
        query = query.where(table.c.project_id == project_id)
    if limit is not None or offset:
        query = query.limit(limit if limit is not None else 2 ** 31 - 1).offset(offset)
    return _records(connection, query)


def count(connection: Connection, project_id: str) -> int:
    """Return how many groups a project has."""
    query = sa.select(sa.func.count()).select_from(table).where(table.c.project_id == project_id)
    return int(connection.execute(query).scalar_one())


def _records(connection: Connection, query: Any) -> list[ServerGroupRecord]:
    rows = connection.execute(query).all()
    members: dict[str, list[str]] = {row.uuid: [] for row in rows}
    uuids = list(members)
    for start in range(0, len(uuids), 500):
        found = sa.select(instances.c.server_group, instances.c.uuid).where(
            instances.c.server_group.in_(uuids[start:start + 500]), instances.c.deleted == sa.false())
        for row in connection.execute(found.order_by(instances.c.id)):
            members[row.server_group].append(row.uuid)
    return [ServerGroupRecord(**{name: row._mapping[name] for name in _FIELDS}, rules=row.rules or {},
                              members=tuple(members[row.uuid])) for row in rows]
