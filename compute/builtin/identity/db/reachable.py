"""What a user can get a token for: projects and domains on which it has a role, by itself, by groups or inherited."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from compute.builtin.identity.db.assignments import BELOW, descendants, groups_of, of_user
from compute.builtin.identity.db.nouns import DOMAINS, PROJECTS, Row
from compute.builtin.identity.db.tables import assignments, domains, group_assignments, projects


def projects_of(connection: sa.Connection, user_id: str, limit: int) -> list[Row]:
    """Return the enabled projects, of enabled domains, on which a user has a role."""
    above = [each.target_id for each in of_user(connection, user_id, limit, kind=BELOW['project'])]
    below = descendants(connection, above, limit) if above else []
    wanted = sa.or_(projects.c.id.in_(_targets(user_id, 'project')),
                    projects.c.domain_id.in_(_targets(user_id, BELOW['domain'])), projects.c.id.in_(below))
    open_domains = sa.select(domains.c.id).where(domains.c.enabled == sa.true())
    return PROJECTS.all(connection, {'enabled': True}, limit=limit,
                        where=[wanted, projects.c.domain_id.in_(open_domains)])


def domains_of(connection: sa.Connection, user_id: str, limit: int) -> list[Row]:
    """Return the enabled domains on which a user has a role."""
    return DOMAINS.all(connection, {'enabled': True}, limit=limit,
                       where=[domains.c.id.in_(_targets(user_id, 'domain'))])


def has_system(connection: sa.Connection, user_id: str) -> bool:
    """Return whether a user has a role on the system."""
    return bool(of_user(connection, user_id, 1, kind='system'))


def _targets(user_id: str, kind: str) -> sa.CompoundSelect[Any]:
    own, groups = assignments, group_assignments
    return sa.union_all(
        sa.select(own.c.target_id).where(own.c.user_id == user_id, own.c.kind == kind),
        sa.select(groups.c.target_id).where(groups.c.group_id.in_(groups_of(user_id)), groups.c.kind == kind))
