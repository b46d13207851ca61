"""Role assignments of users and groups on projects, domains and the system; and implied roles.

An inherited role (kind ``project_below`` or ``domain_below``) is given on a project or domain and holds on every
project below it, not on the target itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import sqlalchemy as sa

from compute.builtin.identity.db.nouns import PROJECTS, ROLES, Row
from compute.builtin.identity.db.tables import (
    assignments,
    group_assignments,
    group_members,
    implied_roles,
    projects,
)
from compute.rest.claims import Named

SYSTEM = 'all'
BELOW = {'project': 'project_below', 'domain': 'domain_below'}
"""The kind of an inherited role by the kind of its target."""
_TABLES = {'user': (assignments, assignments.c.user_id), 'group': (group_assignments, group_assignments.c.group_id)}
_PRIOR, _IMPLIED = implied_roles.c.prior_id, implied_roles.c.implied_id
_CHUNK = 500


class Assignment(NamedTuple):
    """A role that was given. ``actor`` is ``user`` or ``group``."""

    actor: str
    actor_id: str
    kind: str
    target_id: str
    role_id: str

    @property
    def source(self) -> str:
        """The source of a role in tokens; revoking the assignment revokes tokens with this source."""
        return f'{self.actor_id}/{self.kind}:{self.target_id}'

    @property
    def target_kind(self) -> str:
        """``project``, ``domain`` or ``system``: the kind of the target, inherited or not."""
        return self.kind.partition('_')[0]


class Held(NamedTuple):
    """The roles that a user has on something, and from where: see ``Claims.sources``."""

    roles: tuple[Named, ...]
    sources: tuple[str, ...]


def grant(connection: sa.Connection, given: Assignment) -> bool:
    """Give a role; return False if it was given before."""
    if has(connection, given):
        return False
    table, actor = _TABLES[given.actor]
    connection.execute(table.insert().values({
        actor: given.actor_id, 'kind': given.kind, 'target_id': given.target_id, 'role_id': given.role_id}))
    return True


def has(connection: sa.Connection, given: Assignment) -> bool:
    """Return whether the role was given, not counting implied, inherited and groups' ones."""
    return bool(rows(connection, **given._asdict()))


def remove(connection: sa.Connection, actor: str | None = None, **filters: Any) -> int:
    """Take away every assignment that fits and return how many."""
    count = 0
    for table, where in _filtered(actor, filters):
        count += connection.execute(table.delete().where(*where)).rowcount
    return count


def rows(connection: sa.Connection, actor: str | None = None, limit: int | None = None,
         **filters: Any) -> list[Assignment]:
    """Return the assignments that fit. A filter (actor_id, kind, target_id, role_id) is a value or several."""
    found: list[Assignment] = []
    for table, where in _filtered(actor, filters):
        word, column = next((word, column) for word, (each, column) in _TABLES.items() if each is table)
        query = sa.select(column, table.c.kind, table.c.target_id, table.c.role_id).where(*where).order_by(
            column, table.c.kind, table.c.target_id, table.c.role_id).limit(limit)
        found += [Assignment(word, *row) for row in connection.execute(query)]
    return found[:limit]


def _filtered(actor: str | None, filters: dict[str, Any]) -> Iterable[tuple[sa.Table, list[sa.ColumnElement[bool]]]]:
    for word, (table, column) in _TABLES.items():
        if actor in (None, word):
            yield table, [_fits(column if name == 'actor_id' else table.c[name], value)
                          for name, value in filters.items()]


def _fits(column: sa.ColumnElement[Any], value: Any) -> sa.ColumnElement[bool]:
    return column.in_(value) if isinstance(value, list | set | tuple | sa.Select) else column == value


def groups_of(user_id: str) -> sa.Select[Any]:
    """Return the query of the ids of a user's groups."""
    return sa.select(group_members.c.group_id).where(group_members.c.user_id == user_id)


def of_user(connection: sa.Connection, user_id: str, limit: int | None = None, **filters: Any) -> list[Assignment]:
    """Return the assignments of a user, then those of its groups."""
    return [*rows(connection, 'user', limit, actor_id=user_id, **filters),
            *rows(connection, 'group', limit, actor_id=groups_of(user_id), **filters)]


def reaching(connection: sa.Connection, kind: str, target_id: str) -> dict[str, list[str]]:
    """Return the targets that give a role on a target: itself, and for a project its ancestors and domain."""
    found = {kind: [target_id]}
    if kind == 'project':
        project = PROJECTS.find(connection, id=target_id)
        found[BELOW['domain']] = [project['domain_id']] if project else []
        found[BELOW['project']] = ancestors(connection, target_id)
    return found


def ancestors(connection: sa.Connection, project_id: str) -> list[str]:
    """Return the ids of the projects above a project, nearest first."""
    found: list[str] = []
    parent = sa.select(projects.c.parent_id)
    above = connection.execute(parent.where(projects.c.id == project_id)).scalar()
    while above and above not in found:
        found.append(above)
        above = connection.execute(parent.where(projects.c.id == above)).scalar()
    return found


def descendants(connection: sa.Connection, project_ids: Iterable[str], limit: int | None = None) -> list[str]:
    """Return the ids of all projects below these, at most ``limit``."""
    found: dict[str, None] = {}
    level = list(project_ids)
    while level and (limit is None or len(found) < limit):
        below: list[str] = []
        for start in range(0, len(level), _CHUNK):
            query = sa.select(projects.c.id).where(projects.c.parent_id.in_(level[start:start + _CHUNK]))
            below += connection.execute(query.order_by(projects.c.id).limit(limit)).scalars()
        level = [each for each in below if each not in found]
        found |= dict.fromkeys(level)
    return list(found)[:limit]


def roles_on(connection: sa.Connection, user_id: str, kind: str, target_id: str) -> Held:
    """Return the roles that a user has on something: given, by its groups, inherited and implied."""
    given = [each for where, targets in reaching(connection, kind, target_id).items() if targets
             for each in of_user(connection, user_id, kind=where, target_id=targets)]
    # One source for each role is enough: if it goes, the token ends; if another one goes, the right is still there.
    sources: dict[str, str] = {}
    for each in sorted(given, key=lambda each: (each.actor == 'group', each.kind != kind)):
        sources.setdefault(each.role_id, each.source)
    own = f'{user_id}/{kind}:{target_id}'  # every token ends with it
    return Held(tuple(named(connection, with_implied(connection, set(sources)))),
                tuple(sorted(set(sources.values()) - {own})))


def named(connection: sa.Connection, role_ids: set[str]) -> list[Named]:
    """Return the roles of these ids that exist, by name. Those of a domain are left out: they only imply others."""
    if not role_ids:
        return []
    found = ROLES.of_ids(connection, role_ids, domain_id=None).values()
    return sorted((Named(role['id'], role['name']) for role in found), key=lambda role: role.name)


def given_roles(connection: sa.Connection, actor: str, limit: int, **filters: Any) -> list[Row]:
    """Return the roles that were given to a kind of actor, by id, each once, without implied ones."""
    (table, where), = _filtered(actor, filters)
    return ROLES.all(connection, limit=limit, where=[ROLES.table.c.id.in_(sa.select(table.c.role_id).where(*where))])


def implications(connection: sa.Connection, limit: int, prior_id: str | None = None) -> list[tuple[str, str]]:
    """Return which role (the first of a pair) implies which directly, of one role or all, at most ``limit`` pairs."""
    query = sa.select(_PRIOR, _IMPLIED).order_by(_PRIOR, _IMPLIED).limit(limit)
    if prior_id is not None:
        query = query.where(_PRIOR == prior_id)
    return [(row.prior_id, row.implied_id) for row in connection.execute(query)]


def implies(connection: sa.Connection, prior_id: str, implied_id: str) -> bool:
    """Return whether a role implies another one directly."""
    query = sa.select(_PRIOR).where(_PRIOR == prior_id, _IMPLIED == implied_id).limit(1)
    return connection.execute(query).first() is not None


def with_implied(connection: sa.Connection, role_ids: Iterable[str]) -> set[str]:
    """Return these roles and all that they imply, at any distance. Each of them is read once."""
    found = set(role_ids)
    level = sorted(found)
    while level:
        below: set[str] = set()
        for start in range(0, len(level), _CHUNK):
            below |= set(connection.execute(sa.select(_IMPLIED).where(
                _PRIOR.in_(level[start:start + _CHUNK]))).scalars())
        level = sorted(below - found)
        found |= below
    return found
