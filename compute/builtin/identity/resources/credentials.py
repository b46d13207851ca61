"""Credentials that users keep here: EC2 keys, certificates, TOTP seeds, and whatever else has a type.

A token that was got with an application credential or an EC2 key is for one project; it reaches the credentials of that
project only, and makes EC2 keys that are bound to its application credential.
"""

from __future__ import annotations

import json
from typing import Any

from compute.builtin.identity.db import credential_rows, nouns
from compute.builtin.identity.db.credential_rows import EC2, pair_id
from compute.builtin.identity.db.nouns import KEPT_CREDENTIALS, Row
from compute.builtin.identity.db.revocations import revoke
from compute.builtin.identity.resources.shapes import ID, listing_query, member, page
from compute.exception import Forbidden, Invalid, NotFound
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
    """Load a credential. :raises NotFound: none, or one of a project that the token is not for."""
    row: Row = call.app.read(credential_rows.opened, call.app.credential_keys, call.path['credential_id'])
    project = confined_to(call)
    if (project is not None and row['project_id'] != project) or not reaches(claims_of(call), row):
        raise NotFound(f'Could not find credential: {row["id"]}.')
    return row


def claims_of(call: Call) -> Claims:
    """Return the values of the caller's token."""
    found: Claims = call.app.checker.claims(call.context.auth_token)
    return found


def confined_to(call: Call) -> str | None:
    """Return the project whose credentials a delegated token reaches; None for every other token."""
    claims = claims_of(call)
    if not claims.credential and not claims.pair:
        return None
    if claims.credential and claims.credential.restricted:
        raise Forbidden('A restricted application credential cannot reach credentials.')
    return claims.project.id if claims.project else ''


def reaches(claims: Claims, row: Row) -> bool:
    """Return if a token may reach a credential: that of an application credential only those made with it."""
    if claims.credential is None:
        return True
    return row['type'] == EC2 and json.loads(row['blob']).get('app_cred_id') == claims.credential.id


def demand_own_rights(call: Call) -> Claims:
    """Return the claims of a token that may make credentials. :raises Forbidden:"""
    claims = claims_of(call)
    if claims.pair:
        raise Forbidden('A token of an EC2 key can neither create nor change credentials.')
    if claims.credential and claims.credential.restricted:
        raise Forbidden('A restricted application credential can neither create nor change credentials.')
    return claims


def shown(call: Call, row: Row) -> Row:
    """Return a credential as answers have it."""
    found = member(call, _PATH, row)
    for name in ('options', 'description'):
        found.pop(name, None)
    return found


def index(call: Call) -> dict[str, Any]:
    """List credentials: all if policy allows it, else the caller's own."""
    filters: dict[str, Any] = {key: call.query[key] for key in ('user_id', 'type') if key in call.query}
    own, project, claims = call.context.user_id, confined_to(call), claims_of(call)
    if not call.may('identity:list_credentials', {'user_id': ''}):
        if filters.get('user_id', own) != own:
            filters['user_id'] = ''  # matches no user
        else:
            filters['user_id'] = own
    if project is not None:
        filters['project_id'] = project

    def read(db: Any, filters: Row, **pages: Any) -> list[Row]:
        rows = credential_rows.all_opened(db, call.app.credential_keys, filters, **pages)
        return [row for row in rows if reaches(claims, row)]
    return page(call, KEPT_CREDENTIALS, _PATH, 'credentials', filters, shown, read)


def show(call: Call) -> dict[str, Any]:
    """Show a credential."""
    return {'credential': shown(call, call.target)}


def create(call: Call) -> dict[str, Any]:
    """Keep a credential of the caller; an administrator may name another user."""
    claims = demand_own_rights(call)
    values = _accepted(call)
    blob = values.pop('blob')
    values.setdefault('user_id', call.context.user_id)
    call.demand('identity:create_credential', {'user_id': values['user_id']})
    row_id = None
    if values['type'] == EC2:
        blob, access = _pair(blob)
        row_id, blob = pair_id(access), bind(claims, values['user_id'], values.get('project_id'), blob)

    def store(db: Any) -> Row:
        _demand_there(db, values)
        text = json.dumps(blob) if row_id else blob
        return credential_rows.insert(db, call.app.credential_keys, values, text, row_id)
    return {'credential': shown(call, call.app.write(store))}


def update(call: Call) -> dict[str, Any]:
    """Change a credential. An EC2 key keeps its access key, user and project."""
    demand_own_rights(call)
    old, changes = call.target, _accepted(call)
    blob = changes.pop('blob', old['blob'])
    if 'user_id' in changes:
        call.demand('identity:update_credential', {'user_id': changes['user_id']})
    if EC2 in (old['type'], changes.get('type')):
        _demand_same_pair(old, changes, blob)

    def change(db: Any) -> Row:
        _demand_there(db, changes)
        row = credential_rows.update(db, call.app.credential_keys, old['id'], changes, blob)
        revoke(db, 'credential', old['id'])
        return row
    return {'credential': shown(call, call.app.write(change))}


def delete(call: Call) -> None:
    """Delete a credential; tokens that were got with it end."""
    demand_own_rights(call)
    remove(call, call.target['id'])


def remove(call: Call, row_id: str) -> None:
    """Delete a credential and end its tokens."""
    def gone(db: Any) -> None:
        KEPT_CREDENTIALS.delete(db, row_id)
        revoke(db, 'credential', row_id)
    call.app.write(gone)


def bind(claims: Claims, user_id: str, project_id: str | None, blob: dict[str, Any]) -> dict[str, Any]:
    """Return the text of an EC2 key, bound to the application credential that makes it.

    :raises Invalid: it has no project. :raises Forbidden: an application credential is for another user or project.
    """
    if not project_id:
        raise Invalid('project_id is missing; an EC2 key is for one project')
    if claims.credential is None:
        return blob
    if claims.user.id != user_id or claims.project is None or claims.project.id != project_id:
        raise Forbidden('An application credential can create EC2 keys only for its own user and project.')
    return {**blob, 'app_cred_id': claims.credential.id}


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
