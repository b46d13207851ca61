"""EC2 keys of a user, and the exchange of a signed EC2 request for a token."""

from __future__ import annotations

import json
import uuid
from typing import Any

from compute.builtin.identity import ec2_signature
from compute.builtin.identity.authenticate import Proof, demand_enabled, demand_unexpired, refuse
from compute.builtin.identity.db import credential_rows, nouns, revocations
from compute.builtin.identity.db.credential_rows import EC2, pair_id
from compute.builtin.identity.db.nouns import Row
from compute.builtin.identity.ec2_signature import SignedRequest
from compute.builtin.identity.issue import document, sign
from compute.builtin.identity.resources.credentials import binding, bound, has_roles, remove
from compute.builtin.identity.resources.delegated import (
    claims_of,
    demand_own_rights,
    demand_place,
    is_reached,
    narrowed,
    reach_of_credentials,
)
from compute.builtin.identity.resources.shapes import ID, bounded, most_of
from compute.builtin.identity.resources.users import as_owner
from compute.builtin.identity.scope import scope_of
from compute.exception import Invalid, NotFound
from compute.rest.call import Call
from compute.rest.fields import Required, fields
from compute.rest.op import Body, Op, Resource
from compute.rest.reply import Reply

_PATH = '/users/{user_id}/credentials/OS-EC2'
_ONE = '/users/{user_id}/credentials/OS-EC2/{access}'
_CREATE = Body(None, fields(tenant_id=Required(ID), extra=True))
_TEXT = {'type': ['string', 'null'], 'maxLength': 8192}
_MAP = {'type': ['object', 'null'], 'maxProperties': 1000, 'additionalProperties': {
    'type': ['string', 'integer', 'number', 'boolean']}}
_SIGNED = fields(access=Required({'type': 'string', 'maxLength': 255}),
                 signature=Required({'type': 'string', 'maxLength': 255}), host=_TEXT, verb=_TEXT, path=_TEXT,
                 params=_MAP, headers=_MAP, body_hash=_TEXT, extra=True)
_KEYS = ('credentials', 'credential', 'ec2Credentials')
_EXCHANGE = Body(None, fields(dict.fromkeys(_KEYS, _SIGNED), extra=True))


def load(call: Call) -> Row:
    """Load a key of the user in the URL."""
    owner = as_owner(call)
    row = call.app.read(credential_rows.opened, call.app.credential_keys, pair_id(call.path['access']))
    own = row['user_id'] == owner['user_id'] and row['type'] == EC2
    if not own or not is_reached(row, reach_of_credentials(claims_of(call))):
        raise NotFound(f'Could not find EC2 key: {call.path["access"]}.')
    return {**row, 'domain_id': owner['domain_id']}


def shown(call: Call, row: Row) -> Row:
    """Return a key as answers have it."""
    blob = json.loads(row['blob'])
    path = f'/users/{row["user_id"]}/credentials/OS-EC2/{blob["access"]}'
    return {'access': blob['access'], 'secret': blob['secret'], 'tenant_id': row['project_id'],
            'user_id': row['user_id'], 'trust_id': None, 'links': {'self': call.link(path)}}


def index(call: Call) -> dict[str, Any]:
    """List the keys of a user."""
    filters = narrowed({'user_id': call.target['user_id'], 'type': EC2}, reach_of_credentials(claims_of(call)))
    rows = call.app.read(credential_rows.all_opened, call.app.credential_keys, filters, limit=most_of(call))
    return bounded(call, 'credentials', f'/users/{call.target["user_id"]}/credentials/OS-EC2', rows, shown)


def show(call: Call) -> dict[str, Any]:
    """Show a key with its secret."""
    return {'credential': shown(call, call.target)}


def create(call: Call) -> dict[str, Any]:
    """Make a key of a user for a project: that of the token, or another one on which the user has a role."""
    claims, keys = claims_of(call), call.app.credential_keys
    demand_own_rights(claims)
    user, project, access = call.target['user_id'], call.body['tenant_id'], uuid.uuid4().hex
    blob = bound(claims, project, {'access': access, 'secret': uuid.uuid4().hex, 'trust_id': None})
    call.app.read(nouns.PROJECTS.get, project)
    demand_place(call, claims, 'identity:ec2_create_credential', user, project,
                 elsewhere=has_roles(call, user, project))

    def store(db: Any) -> Row:
        nouns.PROJECTS.get(db, project)
        values = {'user_id': user, 'project_id': project, 'type': EC2, **binding(claims)}
        return credential_rows.insert(db, keys, values, json.dumps(blob), pair_id(access))
    return {'credential': shown(call, call.app.write(store))}


def delete(call: Call) -> None:
    """Delete a key; tokens that were got with it end."""
    demand_own_rights(claims_of(call))
    remove(call, call.target['id'])


def exchange(call: Call) -> Reply:
    """Give a token for a request that an EC2 service received, if its signature is right."""
    signed = next((call.body[key] for key in _KEYS if call.body.get(key)), None)
    if signed is None:
        raise Invalid('credentials are missing')
    revision = call.app.read(revocations.newest)
    request = SignedRequest.of(signed)
    proof, project = _proof(call, request)
    asked = None if proof.credential else {'project': {'id': project}}
    token, claims = sign(call.app, proof, call.app.read(scope_of, proof, asked), revision)
    return Reply(document(call.app, claims), headers={
        'X-Subject-Token': token, 'Vary': 'X-Auth-Token', 'Cache-Control': 'no-store'})


def _proof(call: Call, request: SignedRequest) -> tuple[Proof, str]:
    app = call.app
    try:
        row = app.read(credential_rows.opened, app.credential_keys, pair_id(request.access))
    except NotFound:
        raise refuse('no such EC2 key') from None
    blob = json.loads(row['blob']) if row['type'] == EC2 else {}
    if not blob or not ec2_signature.fits(blob['secret'], request):
        raise refuse('the signature does not fit EC2 key %s, or is too old', row['id'])
    user = app.read(nouns.USERS.get, row['user_id'])
    demand_enabled(app, user)
    credential = _application_credential(call, row, blob.get('app_cred_id'))
    return Proof(user, ('ec2credential',), credential=credential, pair=row['id']), row['project_id']


def _application_credential(call: Call, row: Row, credential_id: str | None) -> Row | None:
    """Return the application credential that a key is bound to; it must be of the same user and project still."""
    if credential_id is None:
        return None
    found: Row | None = call.app.read(nouns.CREDENTIALS.find, id=credential_id)
    if found is None or (found['user_id'], found['project_id']) != (row['user_id'], row['project_id']):
        raise refuse('EC2 key %s is bound to an application credential that it does not fit', row['id'])
    demand_unexpired(found)
    return found


EC2_KEYS = Resource('ec2', (
    Op('GET', _PATH, index, policy='identity:ec2_list_credentials', loads=as_owner),
    Op('POST', _PATH, create, policy='identity:ec2_create_credential', loads=as_owner, status=201, body=_CREATE),
    Op('GET', _ONE, show, policy='identity:ec2_get_credential', loads=load),
    Op('DELETE', _ONE, delete, policy='identity:ec2_delete_credential', loads=load, status=204),
    Op('POST', '/ec2tokens', exchange, policy='identity:ec2tokens_validate', body=_EXCHANGE, reads=True),
))
