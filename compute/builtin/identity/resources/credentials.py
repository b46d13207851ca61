"""Credentials that users keep here: EC2 keys, certificates, TOTP seeds, and whatever else has a type.

What delegated tokens may do with them is in ``delegated.py``. An EC2 key that is made with an application credential is
bound to it: tokens for its requests have no more rights.
"""

from __future__ import annotations

import json
from typing import Any

from compute.builtin.identity.db import assignments, credential_rows, nouns
from compute.builtin.identity.db.credential_rows import EC2, pair_id
from compute.builtin.identity.db.nouns import KEPT_CREDENTIALS, Row
from compute.builtin.identity.db.revocations import revoke
from compute.builtin.identity.resources.delegated import (
    claims_of,
    demand_own_rights,
    demand_place,
    is_reached,
    narrowed,
    reach_of_credentials,
)
from compute.builtin.identity.resources.shapes import ID, listing_query, member, page
from compute.exception import Invalid, NotFound
from compute.rest.call import Call
from compute.rest.claims import Claims
from compute.rest.fields import Required, fields
from compute.rest.op import Body, Op, Resource

_PATH = '/credentials'
_ONE = '/credentials/{credential_id}'
_TYPE = {'type': 'string', 'minLength': 1, 'maxLength': 255}
_BLOB = {'type': 'string', 'maxLength': 16384}
_PROJECT = {'type': ['string', 'null'], 'maxLength': 64}
_CREATE = Body('credential', fields(type=Required(_TYPE), blob=Required(_BLOB), user_id=ID, project_id=_PROJECT,
                                    extra=True))
_UPDATE = Body('credential', fields(type=_TYPE, blob=_BLOB, user_id=ID, project_id=_PROJECT, extra=True))
_BOUND = ('app_cred_id', 'trust_id', 'access_token_id')


def load(call: Call) -> Row:
    """Load a credential. :raises NotFound: none, or one that the token does not reach."""
    row: Row = call.app.read(credential_rows.opened, call.app.credential_keys, call.path['credential_id'])
    if not is_reached(row, reach_of_credentials(claims_of(call))):
        raise NotFound(f'Could not find credential: {row["id"]}.')
    return row


def shown(call: Call, row: Row) -> Row:
    """Return a credential as answers have it."""
    found = member(call, _PATH, row)
    for name in ('options', 'description', 'application_credential_id'):
        found.pop(name, None)
    return found


def index(call: Call) -> dict[str, Any]:
    """List credentials: all if policy allows it, else the caller's own."""
    filters: dict[str, Any] = {key: call.query[key] for key in ('user_id', 'type') if key in call.query}
    if not call.may('identity:list_credentials', {'user_id': ''}):
        filters = narrowed(filters, {'user_id': call.context.user_id or ''})
    filters = narrowed(filters, reach_of_credentials(claims_of(call)))

    def read(db: Any, filters: Row, **pages: Any) -> list[Row]:
        return credential_rows.all_opened(db, call.app.credential_keys, filters, **pages)
    return page(call, KEPT_CREDENTIALS, _PATH, 'credentials', filters, shown, read)


def show(call: Call) -> dict[str, Any]:
    """Show a credential."""
    return {'credential': shown(call, call.target)}


def create(call: Call) -> dict[str, Any]:
    """Keep a credential of the caller; an administrator may name another user and any project.

    One that is made with an application credential is bound to it, and of its project if none is named.
    """
    claims = claims_of(call)
    demand_own_rights(claims)
    values: Row = {'user_id': call.context.user_id, **_accepted(call)}
    if claims.credential and claims.project:
        values.setdefault('project_id', claims.project.id)
    call.demand('identity:create_credential', {'user_id': values['user_id']})
    blob, row_id = values.pop('blob'), None
    if values['type'] == EC2:
        blob, access = _pair(blob)
        row_id, blob = pair_id(access), bound(claims, values.get('project_id'), blob)
    demand_place(call, claims, 'identity:create_credential', values['user_id'], values.get('project_id'),
                 elsewhere=row_id is not None and has_roles(call, values['user_id'], values['project_id']))

    def store(db: Any) -> Row:
        _demand_there(db, values)
        return credential_rows.insert(db, call.app.credential_keys, {**values, **binding(claims)},
                                      json.dumps(blob) if row_id else blob, row_id)
    return {'credential': shown(call, call.app.write(store))}


def update(call: Call) -> dict[str, Any]:
    """Change a credential. An EC2 key keeps its access key, user and project."""
    claims = claims_of(call)
    demand_own_rights(claims)
    old, changes = call.target, _accepted(call)
    blob = changes.pop('blob', old['blob'])
    if 'user_id' in changes:
        call.demand('identity:update_credential', {'user_id': changes['user_id']})
    if EC2 in (old['type'], changes.get('type')):
        _demand_same_pair(old, changes, blob)
    new = {**old, **changes}
    if (new['user_id'], new['project_id']) != (old['user_id'], old['project_id']):
        demand_place(call, claims, 'identity:update_credential', new['user_id'], new['project_id'])

    def change(db: Any) -> Row:
        _demand_there(db, changes)
        row = credential_rows.update(db, call.app.credential_keys, old['id'], changes, blob)
        revoke(db, 'credential', old['id'])
        return row
    return {'credential': shown(call, call.app.write(change))}


def delete(call: Call) -> None:
    """Delete a credential; tokens that were got with it end."""
    demand_own_rights(claims_of(call))
    remove(call, call.target['id'])


def remove(call: Call, row_id: str) -> None:
    """Delete a credential and end its tokens."""
    def gone(db: Any) -> None:
        KEPT_CREDENTIALS.delete(db, row_id)
        revoke(db, 'credential', row_id)
    call.app.write(gone)


def bound(claims: Claims, project_id: str | None, blob: dict[str, Any]) -> dict[str, Any]:
    """Return the text of an EC2 key, bound to the application credential that makes it. :raises Invalid: no project"""
    if not project_id:
        raise Invalid('project_id is missing; an EC2 key is for one project')
    return {**blob, 'app_cred_id': claims.credential.id} if claims.credential else blob


def binding(claims: Claims) -> Row:
    """Return the column that binds a new credential to the application credential that makes it."""
    return {'application_credential_id': claims.credential.id if claims.credential else ''}


def has_roles(call: Call, user_id: str, project_id: str) -> bool:
    """Return whether a user has a role on a project."""
    return bool(call.app.read(assignments.roles_on, user_id, 'project', project_id).roles)


def _accepted(call: Call) -> Row:
    return {name: value for name, value in KEPT_CREDENTIALS.accepted(call.body).items()
            if name not in ('options', 'description')}


def _pair(text: str) -> tuple[dict[str, Any], str]:
    """Return the parsed text of an EC2 key and its access key. :raises Invalid:"""
    try:
        blob = json.loads(text)
    except ValueError:
        blob = None
    if not isinstance(blob, dict) or not all(isinstance(blob.get(name), str) and blob[name]
                                             for name in ('access', 'secret')):
        raise Invalid('blob of type ec2 must be a JSON object with "access" and "secret"')
    if bound := [name for name in _BOUND if name in blob]:
        raise Invalid(f'blob has {bound[0]}, which cannot be chosen')
    return blob, blob['access']


def _demand_same_pair(old: Row, changes: Row, text: str) -> None:
    if any(changes.get(name, old[name]) != old[name] for name in ('type', 'user_id', 'project_id')):
        raise Invalid('type, user_id and project_id of an EC2 key cannot be changed')
    if text == old['blob']:
        return
    before, after = json.loads(old['blob']), _pair(_without_bound(text, old['blob']))[0]
    if after['access'] != before['access']:
        raise Invalid('The access key of an EC2 key cannot be changed')


def _without_bound(text: str, old: str) -> str:
    """Return the text without what it has to be bound to and is already. :raises Invalid: it differs."""
    try:
        new = json.loads(text)
    except ValueError:
        return text
    bound = {name: value for name, value in json.loads(old).items() if name in _BOUND}
    if isinstance(new, dict):
        if any(new.get(name) != value for name, value in bound.items()):
            raise Invalid(f'{next(iter(bound))} in the blob of an EC2 key cannot be changed')
        new = {name: value for name, value in new.items() if name not in bound}
    return json.dumps(new)


def _demand_there(db: Any, values: Row) -> None:
    if values.get('user_id'):
        nouns.USERS.get(db, values['user_id'])
    if values.get('project_id'):
        nouns.PROJECTS.get(db, values['project_id'])


CREDENTIALS = Resource('credentials', (
    Op('GET', _PATH, index, policy='identity:list_credentials', query=listing_query(user_id=ID, type=_TYPE)),
    Op('POST', _PATH, create, policy='identity:create_credential', status=201, body=_CREATE),
    Op('GET', _ONE, show, policy='identity:get_credential', loads=load),
    Op('PATCH', _ONE, update, policy='identity:update_credential', loads=load, body=_UPDATE),
    Op('DELETE', _ONE, delete, policy='identity:delete_credential', loads=load, status=204),
))
