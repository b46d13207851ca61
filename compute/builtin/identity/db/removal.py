"""Removes a noun with all that hangs on it, and ends the tokens that name it."""

from __future__ import annotations

import sqlalchemy as sa

from compute.builtin.identity.db import assignments, attempts, groups
from compute.builtin.identity.db.assignments import BELOW
from compute.builtin.identity.db.nouns import DOMAINS, GROUPS, PROJECTS, ROLES, SERVICES, USERS
from compute.builtin.identity.db.revocations import revoke
from compute.builtin.identity.db.tables import (
    application_credentials,
    credentials,
    endpoints,
    implied_roles,
    project_tags,
    users,
)
from compute.exception import Forbidden

DEFAULT_DOMAIN = 'default'
_BATCH = 500


def remove_user(connection: sa.Connection, user_id: str) -> None:
    """Delete a user with its roles, memberships and credentials."""
    assignments.remove(connection, 'user', actor_id=user_id)
    groups.forget(connection, user_id=user_id)
    connection.execute(application_credentials.delete().where(application_credentials.c.user_id == user_id))
    connection.execute(credentials.delete().where(credentials.c.user_id == user_id))
    attempts.forget(connection, user_id)
    USERS.delete(connection, user_id)
    revoke(connection, 'user', user_id)


def remove_group(connection: sa.Connection, group_id: str) -> None:
    """Delete a group with its roles; the tokens that have roles of it end."""
    for source in {given.source for given in assignments.rows(connection, 'group', actor_id=group_id)}:
        revoke(connection, 'grant', source)
    assignments.remove(connection, 'group', actor_id=group_id)
    groups.forget(connection, group_id=group_id)
    GROUPS.delete(connection, group_id)


def remove_project(connection: sa.Connection, project_id: str) -> None:
    """Delete a project with the roles on it. :raises Forbidden: it has projects below it."""
    if PROJECTS.find(connection, parent_id=project_id):
        raise Forbidden(f'Project {project_id} cannot be deleted: there are projects below it.')
    _forget_project(connection, project_id)
    revoke(connection, 'project', project_id)


def _forget_project(connection: sa.Connection, project_id: str) -> None:
    assignments.remove(connection, kind=['project', BELOW['project']], target_id=project_id)
    connection.execute(application_credentials.delete().where(application_credentials.c.project_id == project_id))
    connection.execute(credentials.delete().where(credentials.c.project_id == project_id))
    connection.execute(project_tags.delete().where(project_tags.c.project_id == project_id))
    connection.execute(users.update().where(users.c.default_project_id == project_id).values(default_project_id=None))
    PROJECTS.delete(connection, project_id)


def remove_domain(connection: sa.Connection, domain_id: str) -> None:
    """Delete a domain with its users, groups, roles and projects.

    :raises Forbidden: it is enabled, or the default domain.
    """
    domain = DOMAINS.get(connection, domain_id)
    if domain_id == DEFAULT_DOMAIN:
        raise Forbidden('The default domain cannot be deleted.')
    if domain['enabled']:
        raise Forbidden(f'Domain {domain_id} cannot be deleted while it is enabled; disable it first.')
    for noun, remove in ((USERS, remove_user), (GROUPS, remove_group), (ROLES, remove_role),
                         (PROJECTS, _forget_project)):
        while rows := noun.all(connection, {'domain_id': domain_id}, limit=_BATCH):
            for row in rows:
                remove(connection, row['id'])
    assignments.remove(connection, kind=['domain', BELOW['domain']], target_id=domain_id)
    DOMAINS.delete(connection, domain_id)
    revoke(connection, 'domain', domain_id)


def remove_role(connection: sa.Connection, role_id: str) -> None:
    """Delete a role wherever it was given; tokens that may have a role only through it end.

    A role of a domain is in no token itself: only what it implies is.
    """
    through = assignments.with_implied(connection, {role_id}) if ROLES.get(connection, role_id)['domain_id'] else ()
    for implied in set(through) - {role_id}:
        revoke(connection, 'role', implied)
    assignments.remove(connection, role_id=role_id)
    connection.execute(implied_roles.delete().where(sa.or_(implied_roles.c.prior_id == role_id,
                                                           implied_roles.c.implied_id == role_id)))
    ROLES.delete(connection, role_id)
    revoke(connection, 'role', role_id)


def remove_service(connection: sa.Connection, service_id: str) -> None:
    """Delete a service with its endpoints."""
    connection.execute(endpoints.delete().where(endpoints.c.service_id == service_id))
    SERVICES.delete(connection, service_id)
