"""Gives users and groups roles on projects, domains and the system, also inherited ones, and takes them away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from compute.builtin.identity.db import assignments, nouns
from compute.builtin.identity.db.assignments import BELOW, Assignment
from compute.builtin.identity.db.nouns import Noun, Row
from compute.builtin.identity.db.revocations import revoke
from compute.builtin.identity.resources import roles
from compute.builtin.identity.resources.shapes import bounded, most_of
from compute.exception import Forbidden, NotFound
from compute.rest.call import Call
from compute.rest.op import Op, Resource

_ACTORS = {'user': nouns.USERS, 'group': nouns.GROUPS}
_GRANT = {'list': 'identity:list_grants', 'check': 'identity:check_grant', 'create': 'identity:create_grant',
          'revoke': 'identity:revoke_grant'}


@dataclass(frozen=True)
class _Grants:
    """Roles of one kind of actor on one kind of target (none for the system), inherited or not."""

    actor: str
    target: str
    inherited: bool = False

    @property
    def kind(self) -> str:
        """The kind of the assignments."""
        return BELOW[self.target] if self.inherited else self.target

    @property
    def policies(self) -> dict[str, str]:
        """The rule of each operation."""
        if self.target != 'system':
            return _GRANT
        verbs = {'list': 'list_system_grants', 'check': 'check_system_grant', 'create': 'create_system_grant',
                 'revoke': 'revoke_system_grant'}
        return {word: f'identity:{verb}_for_{self.actor}' for word, verb in verbs.items()}

    def load(self, call: Call) -> Row:
        """Load target and actor. :raises NotFound: one of them is not there."""
        noun: Noun | None = {'project': nouns.PROJECTS, 'domain': nouns.DOMAINS}.get(self.target)
        row = call.app.read(noun.get, call.path['target_id']) if noun else {'id': assignments.SYSTEM}
        actor = call.app.read(_ACTORS[self.actor].get, call.path['actor_id'])
        domain = row['id'] if self.target == 'domain' else row.get('domain_id')
        # The right of a domain's reader is to see its own domain: both ends must lie there.
        return {'where': {'actor': self.actor, 'actor_id': actor['id'], 'kind': self.kind, 'target_id': row['id']},
                'target_domain': domain, **({'domain_id': domain} if domain == actor['domain_id'] else {})}

    def ops(self) -> tuple[Op, ...]:
        """Return the operations."""
        on = '/system' if self.target == 'system' else f'/{self.target}s/{{target_id}}'
        every = f'{"/OS-INHERIT" if self.inherited else ""}{on}/{self.actor}s/{{actor_id}}/roles'
        end = '/inherited_to_projects' if self.inherited else ''
        one = f'{every}/{{role_id}}{end}'
        return (Op('GET', f'{every}{end}', index, policy=self.policies['list'], loads=self.load),
                Op('GET', one, check, policy=self.policies['check'], loads=self.load, status=204),
                Op('PUT', one, put, policy=self.policies['create'], loads=self.load, status=204),
                Op('DELETE', one, delete, policy=self.policies['revoke'], loads=self.load, status=204))


def index(call: Call) -> dict[str, Any]:
    """List the roles that were given, without implied ones."""
    rows = call.app.read(assignments.given_roles, limit=most_of(call), **call.target['where'])
    return bounded(call, 'roles', call.url.removeprefix(call.link('')), rows, roles.shown)


def check(call: Call) -> None:
    """Tell whether a role was given."""
    given = _assignment(call, call.app.read(nouns.ROLES.get, call.path['role_id']))
    if not call.app.read(assignments.has, given):
        raise _missing(given)


def put(call: Call) -> None:
    """Give a role; giving it again changes nothing."""
    def give(db: Any) -> None:
        role = nouns.ROLES.get(db, call.path['role_id'])
        if role['domain_id'] not in (None, call.target['target_domain']):
            raise Forbidden(f'Role {role["id"]} is of domain {role["domain_id"]} and cannot be assigned outside of it.')
        assignments.grant(db, _assignment(call, role))
    call.app.write(give)


def delete(call: Call) -> None:
    """Take a role away; the tokens that have roles from here end."""
    def take(db: Any) -> None:
        given = _assignment(call, nouns.ROLES.get(db, call.path['role_id']))
        if not assignments.remove(db, **given._asdict()):
            raise _missing(given)
        revoke(db, 'grant', given.source)
    call.app.write(take)


def _assignment(call: Call, role: Row) -> Assignment:
    return Assignment(role_id=role['id'], **call.target['where'])


def _missing(given: Assignment) -> NotFound:
    inherited = ', to be inherited by projects' if given.kind != given.target_kind else ''
    return NotFound(f'Could not find role assignment: {given.actor} {given.actor_id} does not have role '
                    f'{given.role_id} on {given.target_kind} {given.target_id}{inherited}.')


GRANTS = Resource('grants', tuple(
    op for target in ('project', 'domain', 'system') for actor in _ACTORS for op in _Grants(actor, target).ops()))
INHERITED_GRANTS = Resource('inherited_grants', tuple(
    op for target in BELOW for actor in _ACTORS for op in _Grants(actor, target, inherited=True).ops()))
