"""Gives users roles on projects, domains and the system, and takes them away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from compute.builtin.identity.db import assignments, nouns
from compute.builtin.identity.db.nouns import Noun, Row
from compute.builtin.identity.db.revocations import revoke
from compute.builtin.identity.resources import roles
from compute.builtin.identity.resources.shapes import listing
from compute.exception import NotFound
from compute.rest.call import Call
from compute.rest.op import Op, Resource


@dataclass(frozen=True)
class _On:
    """What roles are given on: a kind, the noun it is (none for the system), its part of the URL, its policies."""

    kind: str
    noun: Noun | None
    path: str
    policies: dict[str, str]

    def load(self, call: Call) -> Row:
        """Load target and user. :raises NotFound: one of them is not there."""
        row = call.app.read(self.noun.get, call.path['target_id']) if self.noun else {'id': assignments.SYSTEM}
        user = call.app.read(nouns.USERS.get, call.path['user_id'])
        where = {'user_id': user['id'], 'kind': self.kind, 'target_id': row['id']}
        domain = row['id'] if self.kind == 'domain' else row.get('domain_id')
        # A role of a domain's reader is to see its own domain: both ends must lie there.
        return {'where': where, **({'domain_id': domain} if domain == user['domain_id'] else {})}

    def ops(self) -> tuple[Op, ...]:
        """Return the operations."""
        every, one = self.path + '/users/{user_id}/roles', self.path + '/users/{user_id}/roles/{role_id}'
        return (Op('GET', every, index, policy=self.policies['list'], loads=self.load),
                Op('GET', one, check, policy=self.policies['check'], loads=self.load, status=204),
                Op('PUT', one, put, policy=self.policies['create'], loads=self.load, status=204),
                Op('DELETE', one, delete, policy=self.policies['revoke'], loads=self.load, status=204))


def index(call: Call) -> dict[str, Any]:
    """List the roles that were given, without implied ones."""
    where = call.target['where']
    given = {row.role_id for row in call.app.read(assignments.rows, **where)}
    rows = call.app.read(nouns.ROLES.all, {'id': given})
    return listing(call, 'roles', call.url.removeprefix(call.link('')), [roles.shown(call, row) for row in rows])


def check(call: Call) -> None:
    """Tell whether a role was given."""
    role = call.app.read(nouns.ROLES.get, call.path['role_id'])
    where = call.target['where']
    if not call.app.read(assignments.has, role_id=role['id'], **where):
        raise _missing(role['id'], where)


def put(call: Call) -> None:
    """Give a role; giving it again changes nothing."""
    def give(db: Any) -> None:
        role = nouns.ROLES.get(db, call.path['role_id'])
        assignments.grant(db, role_id=role['id'], **call.target['where'])
    call.app.write(give)


def delete(call: Call) -> None:
    """Take a role away; the user's tokens for this scope end."""
    where = call.target['where']

    def take(db: Any) -> None:
        role = nouns.ROLES.get(db, call.path['role_id'])
        if not assignments.remove(db, role_id=role['id'], **where):
            raise _missing(role['id'], where)
        revoke(db, 'grant', f'{where["user_id"]}/{where["kind"]}:{where["target_id"]}')
    call.app.write(take)


def _missing(role_id: str, where: dict[str, str]) -> NotFound:
    return NotFound(f'Could not find role assignment: user {where["user_id"]} does not have role {role_id} on '
                    f'{where["kind"]} {where["target_id"]}.')


_GRANT = {'list': 'identity:list_grants', 'check': 'identity:check_grant', 'create': 'identity:create_grant',
          'revoke': 'identity:revoke_grant'}
_SYSTEM = {'list': 'identity:list_system_grants_for_user', 'check': 'identity:check_system_grant_for_user',
           'create': 'identity:create_system_grant_for_user', 'revoke': 'identity:revoke_system_grant_for_user'}

GRANTS = Resource('grants', (
    *_On('project', nouns.PROJECTS, '/projects/{target_id}', _GRANT).ops(),
    *_On('domain', nouns.DOMAINS, '/domains/{target_id}', _GRANT).ops(),
    *_On('system', None, '/system', _SYSTEM).ops()))
