"""Application credentials: a name and a secret with which a program acts as its user, in one project."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from compute.builtin.identity.db import assignments, nouns
from compute.builtin.identity.db.nouns import Row
from compute.builtin.identity.db.revocations import revoke
from compute.builtin.identity.issue import iso
from compute.builtin.identity.resources.delegated import (
    claims_of,
    demand_own_rights,
    is_reached,
    narrowed,
    reach_of,
)
from compute.builtin.identity.resources.shapes import (
    ID,
    NAME,
    SECRET,
    TEXT,
    filters_of,
    listing_query,
    member,
    page,
)
from compute.builtin.identity.resources.users import as_owner
from compute.exception import Forbidden, Invalid, NotFound
from compute.rest.call import Call
from compute.rest.claims import Claims
from compute.rest.fields import ListOf, OneOf, Required, fields
from compute.rest.op import Body, Op, Resource

_EPOCH = datetime.fromtimestamp(0, UTC)
_LAST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(seconds=1)
_PATH = '/users/{user_id}/application_credentials'
_ONE = _PATH + '/{credential_id}'
_ROLE = OneOf((fields(id=Required(ID), name={}, domain_id={}), fields(name=Required(NAME), domain_id={})))
_CREATE = Body('application_credential', fields(
    name=Required(NAME), description=TEXT, roles=OneOf(({'type': 'null'}, ListOf(_ROLE, {'maxItems': 64}))),
    secret=OneOf(({'type': 'null'}, SECRET)), unrestricted={'type': ['boolean', 'null']},
    expires_at={'type': ['string', 'null'], 'maxLength': 64}, project_id={},
    access_rules={'type': ['array', 'null'], 'maxItems': 0}))


def load(call: Call) -> Row:
    """Load a credential of the user in the URL."""
    owner = as_owner(call)
    row = call.app.read(nouns.CREDENTIALS.get, call.path['credential_id'])
    if row['user_id'] != owner['user_id'] or not is_reached(row, reach_of(claims_of(call))):
        raise NotFound(f'Could not find application credential: {row["id"]}.')
    return {**row, 'domain_id': owner['domain_id']}


def shown(call: Call, row: Row) -> Row:
    """Return a credential as answers have it."""
    roles = call.app.read(assignments.named, set(row['roles']))
    found = member(call, f'/users/{row["user_id"]}/application_credentials', row,
                   roles=[role._asdict() for role in roles],
                   expires_at=None if row['expires_at'] is None else iso(
                       row['expires_at'], row['expires_micro'] or 0).removesuffix('Z'))
    for name in ('options', 'domain_id', 'expires_micro'):
        found.pop(name, None)
    return {**found, 'system': None}


def index(call: Call) -> dict[str, Any]:
    """List the credentials of a user."""
    user_id = call.target['user_id']
    return page(call, nouns.CREDENTIALS, f'/users/{user_id}/application_credentials', 'application_credentials',
                narrowed({**filters_of(call), 'user_id': user_id}, reach_of(claims_of(call))), shown)


def show(call: Call) -> dict[str, Any]:
    """Show a credential; its secret was shown when it was made, once."""
    return {'application_credential': shown(call, call.target)}


def create(call: Call) -> dict[str, Any]:
    """Make a credential for the project of the caller's token, with roles that the user has there."""
    claims = claims_of(call)
    demand_own_rights(claims, 'application credentials')
    if claims.project is None:
        raise Forbidden('An application credential is for a project; this token has none.')
    secret = call.body.get('secret') or secrets.token_urlsafe(64)
    values = {'user_id': claims.user.id, 'project_id': claims.project.id, 'name': call.body['name'],
              'description': call.body.get('description'), 'roles': _roles(call, claims, claims.project.id),
              'unrestricted': bool(call.body.get('unrestricted')), **_expiry(call.body.get('expires_at')),
              'secret_hash': call.app.passwords.hash(secret)}
    row = call.app.write(lambda db: nouns.CREDENTIALS.insert(db, values))
    return {'application_credential': {**shown(call, row), 'secret': secret}}


def delete(call: Call) -> None:
    """Delete a credential; its tokens end."""
    demand_own_rights(claims_of(call), 'application credentials')

    def remove(db: Any) -> None:
        nouns.CREDENTIALS.delete(db, call.target['id'])
        revoke(db, 'credential', call.target['id'])
    call.app.write(remove)


def _roles(call: Call, claims: Claims, project_id: str) -> list[str]:
    """Return the ids of the roles that were asked for; all of the token where none were.

    They are compared with the roles that the user has on the project now, not with those of the token.
    """
    asked = call.body.get('roles') or [{'id': role.id} for role in claims.roles]
    roles = call.app.read(assignments.roles_on, claims.user.id, 'project', project_id).roles
    held = {role.name: role.id for role in roles} | {role.id: role.id for role in roles}
    found = []
    for role in asked:
        key = role.get('id') or role['name']
        if key not in held or role.get('domain_id'):  # roles of a domain are in no token
            raise Invalid(f'Role {key!r} is not one of your roles on this project')
        found.append(held[key])
    return sorted(set(found))


def _expiry(text: str | None) -> Row:
    """Return the columns of an expiry. :raises Invalid: it is no time, or in the past."""
    if text is None:
        return {'expires_at': None, 'expires_micro': None}
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f'expires_at is {text[:50]!r}; it takes a time such as 2030-12-31T23:59:59.000000') from None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    if when <= datetime.fromtimestamp(time.time(), UTC):
        raise Invalid(f'expires_at is {text!r}, which is in the past')
    seconds = (when - _EPOCH) // timedelta(seconds=1)
    if seconds > _LAST:
        raise Invalid(f'expires_at is {text[:50]!r}; the last time is that of the end of the year 9999')
    return {'expires_at': seconds, 'expires_micro': when.microsecond}


APPLICATION_CREDENTIALS = Resource('application_credentials', (
    Op('GET', _PATH, index, policy='identity:list_application_credentials', loads=as_owner,
       query=listing_query(name=NAME)),
    Op('POST', _PATH, create, policy='identity:create_application_credential', loads=as_owner, status=201,
       body=_CREATE),
    Op('GET', _ONE, show, policy='identity:get_application_credential', loads=load),
    Op('DELETE', _ONE, delete, policy='identity:delete_application_credential', loads=load, status=204),
))
