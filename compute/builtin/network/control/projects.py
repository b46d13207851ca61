"""What is decided once per project: its row (the lock of its quota), its default security group, its quota."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from compute.builtin.network.control import canonical
from compute.builtin.network.control.changes import Work
from compute.builtin.network.db import rows
from compute.builtin.network.db import tables as t
from compute.builtin.network.db.kinds import GROUP, NETWORK, PORT, RULE, SUBNET
from compute.exception import Conflict

_LOCKED = sa.select(t.projects).where(t.projects.c.id == sa.bindparam('project')).with_for_update()
RESOURCES = {kind.name: kind for kind in (NETWORK, SUBNET, PORT, GROUP, RULE)}
"""What has a quota."""


def lock(work: Work, project_id: str) -> Any:
    """Lock a project's row until the end of the transaction, making it first if need be; return it."""
    row = work.connection.execute(_LOCKED, {'project': project_id}).first()
    if row is None:
        try:
            with rows.tried(work.connection):
                work.connection.execute(t.projects.insert().values(id=project_id))
        except IntegrityError:
            pass  # another daemon made it just now
        row = work.connection.execute(_LOCKED, {'project': project_id}).one()
    return row


def default_group(work: Work, project_id: str, row: Any = None) -> str:
    """Return the id of the project's default security group, made on first use.

    ``row`` is the project's if it is locked already.
    """
    row = row or lock(work, project_id)
    if row.default_group_id is not None:
        return str(row.default_group_id)
    group = rows.insert(work.connection, GROUP, {
        'project_id': project_id, 'name': 'default', 'description': 'Default security group'})
    for ethertype in ('IPv4', 'IPv6'):
        for direction in ('egress', 'ingress'):
            insert_rule(work, {
                'project_id': project_id, 'group_id': group['id'], 'direction': direction, 'ethertype': ethertype,
                'remote_group_id': group['id'] if direction == 'ingress' else None})
    change(work, project_id, default_group_id=group['id'])
    return str(group['id'])


def insert_rule(work: Work, values: Mapping[str, Any]) -> rows.Row:
    """Insert a rule of a security group with its key. :raises IntegrityError: the group has an equal rule."""
    return rows.insert(work.connection, RULE, {**values, 'rule_key': canonical.rule_key(values)})


def has_default_group(work: Work, project_id: str) -> bool:
    """Tell whether the project's default group is there."""
    query = sa.select(t.projects.c.default_group_id).where(t.projects.c.id == project_id)
    return work.connection.execute(query).scalar() is not None


def change(work: Work, project_id: str, **values: Any) -> None:
    """Change the project's row."""
    work.connection.execute(t.projects.update().where(t.projects.c.id == project_id).values(**values))


def limits(work: Work, project_id: str) -> dict[str, int]:
    """Return the project's limit of each resource; -1 is none."""
    own = {row['resource']: row['hard_limit'] for row in
           rows.every(work.connection, t.quotas, t.quotas.c.project_id == project_id)}
    return {**default_limits(work), **own}


def default_limits(work: Work) -> dict[str, int]:
    """Return the limits of projects without ones of their own."""
    return {name: getattr(work.options, f'quota_{name}') for name in RESOURCES}


def used(work: Work, project_id: str, resource: str) -> int:
    """Return how many of a resource the project has."""
    table = RESOURCES[resource].table
    query = sa.select(sa.func.count()).select_from(table).where(table.c.project_id == project_id)
    return int(work.connection.execute(query).scalar() or 0)


def charge(work: Work, project_id: str, resource: str, count: int = 1) -> Any:
    """Make room for ``count`` more; return the project's row.

    It stays locked, so that nobody else takes the room before they are inserted.
    :raises Conflict: the quota does not allow them; the message has the limit and the use.
    """
    row = lock(work, project_id)
    limit, in_use = work.connection.execute(_room(resource), {
        'project': project_id, 'default': default_limits(work)[resource]}).one()
    if limit >= 0 and in_use + count > limit:
        raise Conflict(f"Quota exceeded for resources: ['{resource}']. The limit is {limit}, {in_use} are in use, "
                       f'{count} more asked for.', details={'type': 'OverQuota'})
    return row


@functools.cache
def _room(resource: str) -> sa.Select[Any]:
    """Return the query of a project's limit and what it uses, which is not counted where there is no limit."""
    table, project = RESOURCES[resource].table, sa.bindparam('project', type_=t.PROJECT)
    own = sa.select(t.quotas.c.hard_limit).where(
        t.quotas.c.project_id == project, t.quotas.c.resource == resource).scalar_subquery()
    limit = sa.func.coalesce(own, sa.bindparam('default', type_=sa.Integer))
    count = sa.select(sa.func.count()).select_from(table).where(table.c.project_id == project).scalar_subquery()
    return sa.select(limit, sa.case((limit >= 0, count), else_=0))
