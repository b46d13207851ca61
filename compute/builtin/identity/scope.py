"""On what, and with which roles: the ``scope`` part of a request for a token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from compute.builtin.identity.authenticate import Proof, find_domain, refuse
from compute.builtin.identity.db import assignments
from compute.builtin.identity.db.nouns import DOMAINS, PROJECTS, Row
from compute.exception import Forbidden, Unauthorized
from compute.rest.claims import Claims, Named, Place


@dataclass(frozen=True)
class Scope:
    """What a token is for. Everything empty: unscoped."""

    project: Place | None = None
    domain: Named | None = None
    system: bool = False
    roles: tuple[Named, ...] = ()
    sources: tuple[str, ...] = ()


def scope_of(connection: sa.Connection, proof: Proof, asked: Any) -> Scope:
    """Return the scope that was asked for, or that is the user's default.

    :raises Unauthorized: there is no such thing, it is disabled, or the user has no role on it.
    :raises Forbidden: the proof is bound to another scope.
    """
    if proof.credential is not None:
        return _credential_scope(connection, proof, asked)
    if proof.parent is not None and proof.pair is not None:
        return _pair_scope(connection, proof.user, proof.parent, asked)
    if asked is None:
        return _default_scope(connection, proof.user)
    if asked == 'unscoped' or 'unscoped' in asked:
        return Scope()
    if 'system' in asked:
        return Scope(system=True, **_held(connection, proof.user, 'system', assignments.SYSTEM))
    if 'domain' in asked:
        domain = find_domain(connection, asked['domain'])
        if domain is None or not domain['enabled']:
            raise refuse('scope: no such domain, or it is disabled')
        return Scope(domain=Named(domain['id'], domain['name']),
                     **_held(connection, proof.user, 'domain', domain['id']))
    return _project_scope(connection, proof.user, _find_project(connection, asked['project']))


def _project_scope(connection: sa.Connection, user: Row, project: Row | None) -> Scope:
    if project is None:
        raise refuse('scope: no such project')
    domain = DOMAINS.get(connection, project['domain_id'])
    if not project['enabled'] or not domain['enabled']:
        raise refuse('scope: project %s or its domain is disabled', project['id'])
    return Scope(project=Place(project['id'], project['name'], domain['id'], domain['name']),
                 **_held(connection, user, 'project', project['id']))


def _held(connection: sa.Connection, user: Row, kind: str, target_id: str) -> dict[str, Any]:
    found = assignments.roles_on(connection, user['id'], kind, target_id)
    if not found.roles:
        raise refuse('user %s has no role on %s %s', user['id'], kind, target_id)
    return found._asdict()


def _find_project(connection: sa.Connection, named: dict[str, Any]) -> Row | None:
    if 'id' in named:
        return PROJECTS.find(connection, id=named['id'])
    domain = find_domain(connection, named['domain'])
    return domain and PROJECTS.find(connection, name=named['name'], domain_id=domain['id'])


def _default_scope(connection: sa.Connection, user: Row) -> Scope:
    project = PROJECTS.find(connection, id=user['default_project_id']) if user['default_project_id'] else None
    if project is None:
        return Scope()
    try:
        return _project_scope(connection, user, project)
    except Unauthorized:  # a default that is of no use is no reason to lock the user out
        return Scope()


def _pair_scope(connection: sa.Connection, user: Row, parent: Claims, asked: Any) -> Scope:
    """Return the scope of a token made from one that was got with an EC2 key: the same project."""
    own = parent.project.id if parent.project else ''
    project = _asked_project(connection, asked) if asked is not None else PROJECTS.find(connection, id=own)
    if project is None or project['id'] != own:
        raise Forbidden('An EC2 key is for one project; another scope cannot be requested with it.')
    return _project_scope(connection, user, project)


def _asked_project(connection: sa.Connection, asked: Any) -> Row | None:
    return _find_project(connection, asked['project']) if asked != 'unscoped' and 'project' in asked else None


def _credential_scope(connection: sa.Connection, proof: Proof, asked: Any) -> Scope:
    assert proof.credential is not None
    credential = proof.credential
    if asked is not None:
        project = _asked_project(connection, asked)
        if proof.parent is None or project is None or project['id'] != credential['project_id']:
            raise Forbidden('An application credential is for one project; another scope cannot be asked for with it.')
    scope = _project_scope(connection, proof.user, PROJECTS.find(connection, id=credential['project_id']))
    wanted = assignments.with_implied(connection, set(credential['roles']))
    if not set(credential['roles']) <= {role.id for role in scope.roles}:
        raise refuse('user %s no longer has the roles of application credential %s', proof.user['id'], credential['id'])
    return Scope(project=scope.project, roles=tuple(role for role in scope.roles if role.id in wanted),
                 sources=scope.sources)
