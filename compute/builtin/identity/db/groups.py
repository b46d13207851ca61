"""Members of groups."""

from __future__ import annotations

import sqlalchemy as sa

from compute.builtin.identity.db.nouns import GROUPS, USERS, Row
from compute.builtin.identity.db.revocations import revoke
from compute.builtin.identity.db.tables import group_members, groups, users

_C = group_members.c


def has_member(connection: sa.Connection, group_id: str, user_id: str) -> bool:
    """Return whether a user is in a group."""
    return connection.execute(sa.select(_C.user_id).where(*_pair(group_id, user_id))).first() is not None


def add(connection: sa.Connection, group_id: str, user_id: str) -> None:
    """Put a user into a group; one that is in it stays."""
    if not has_member(connection, group_id, user_id):
        connection.execute(group_members.insert().values(group_id=group_id, user_id=user_id))


def take_out(connection: sa.Connection, group_id: str, user_id: str) -> bool:
    """Take a user out of a group; return False if it was not in it. Its tokens with roles of the group end."""
    gone = connection.execute(group_members.delete().where(*_pair(group_id, user_id))).rowcount
    if gone:
        revoke(connection, 'member', f'{user_id}/{group_id}')
    return bool(gone)


def forget(connection: sa.Connection, *, user_id: str | None = None, group_id: str | None = None) -> None:
    """Take a user out of all groups, or everybody out of a group."""
    mine = _C.user_id == user_id if user_id else _C.group_id == group_id
    connection.execute(group_members.delete().where(mine))


def members(connection: sa.Connection, group_id: str, filters: Row, limit: int, marker: str | None = None) -> list[Row]:
    """Return the users in a group."""
    inside = sa.select(_C.user_id).where(_C.group_id == group_id)
    return USERS.all(connection, filters, limit=limit, marker=marker, where=[users.c.id.in_(inside)])


def groups_with(connection: sa.Connection, user_id: str, filters: Row, limit: int,
                marker: str | None = None) -> list[Row]:
    """Return the groups that a user is in."""
    mine = sa.select(_C.group_id).where(_C.user_id == user_id)
    return GROUPS.all(connection, filters, limit=limit, marker=marker, where=[groups.c.id.in_(mine)])


def _pair(group_id: str, user_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    return _C.group_id == group_id, _C.user_id == user_id
