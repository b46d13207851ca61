"""Which user has which role on what: a project, a domain or the system; and the roles that a role implies."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import sqlalchemy as sa

from compute.builtin.identity.db.nouns import PROJECTS, ROLES
from compute.builtin.identity.db.tables import assignments, domains, implied_roles, projects
from compute.rest.claims import Named

SYSTEM = 'all'


def grant(connection: sa.Connection, user_id: str, kind: str, target_id: str, role_id: str) -> bool:
    """Give a role; return False if the user had it."""
    if has(connection, user_id, kind, target_id, role_id):
        return False
    connection.execute(assignments.insert().values(user_id=user_id, kind=kind, target_id=target_id, role_id=role_id))
    return True


def has(connection: sa.Connection, user_id: str, kind: str, target_id: str, role_id: str) -> bool:
    """Tell whether the role was given, not counting implied ones."""
    return bool(rows(connection, user_id=user_id, kind=kind, target_id=target_id, role_id=role_id))


def remove(connection: sa.Connection, **filters: str) -> int:
    """Take away every assignment that fits and return how many."""
    statement = assignments.delete()
    for name, value in filters.items():
        statement = statement.where(assignments.c[name] == value)
    return connection.execute(statement).rowcount


def rows(connection: sa.Connection, **filters: Any) -> list[sa.Row[Any]]:
    """Return the assignments that fit."""
    query = sa.select(assignments).order_by(assignments.c.user_id, assignments.c.kind, assignments.c.target_id,
                                            assignments.c.role_id)
    for name, value in filters.items():
        query = query.where(assignments.c[name] == value)
    return list(connection.execute(query))


def roles_on(connection: sa.Connection, user_id: str, kind: str, target_id: str) -> list[Named]:
    """Return the roles that a user has on something, implied ones included, by name."""
    given = {row.role_id for row in rows(connection, user_id=user_id, kind=kind, target_id=target_id)}
    return named(connection, with_implied(connection, given))


def named(connection: sa.Connection, role_ids: set[str]) -> list[Named]:
    """Return the roles of these ids that exist, by name."""
    if not role_ids:
        return []
    found = ROLES.all(connection, {'id': role_ids})
    return sorted((Named(role['id'], role['name']) for role in found), key=lambda role: role.name)


def inferences(connection: sa.Connection) -> dict[str, set[str]]:
    """Return the roles that each role implies directly."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in connection.execute(sa.select(implied_roles)):
        found[row.prior_id].add(row.implied_id)
    return found


def with_implied(connection: sa.Connection, role_ids: set[str]) -> set[str]:
    """Return these roles and all that they imply, at any distance."""
    implied = inferences(connection) if role_ids else {}
    found, new = set(role_ids), set(role_ids)
    while new:
        new = set().union(*(implied.get(role, set()) for role in new)) - found
        found |= new
    return found


def projects_of(connection: sa.Connection, user_id: str) -> list[dict[str, Any]]:
    """Return the enabled projects, of enabled domains, on which a user has a role."""
    wanted = sa.select(assignments.c.target_id).where(assignments.c.user_id == user_id, assignments.c.kind == 'project')
    open_domains = sa.select(projects.c.id).join(domains).where(
        domains.c.enabled == sa.true(), projects.c.enabled == sa.true(), projects.c.id.in_(wanted))
    return PROJECTS.all(connection, {'id': [row.id for row in connection.execute(open_domains)]})


def domains_of(connection: sa.Connection, user_id: str) -> list[str]:
    """Return the ids of the domains on which a user has a role."""
    return sorted({row.target_id for row in rows(connection, user_id=user_id, kind='domain')})
