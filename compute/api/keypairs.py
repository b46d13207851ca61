"""Key pairs of users: import, make (to 2.91), list, show, delete. Administrators may do so for others from 2.10."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Connection

from compute.api import keypair_crypto as crypto
from compute.api.schema import NAME, STRING, USER_ID
from compute.api.times import precise
from compute.db import keypairs, quotas
from compute.exception import OverQuota
from compute.objects.keypair import SSH, X509, Keypair
from compute.policies import keypairs as policy
from compute.rest.call import Call
from compute.rest.fields import Either, Since, Until, fields
from compute.rest.op import Body, Op, Query, Resource, View
from compute.rest.paging import LIMIT, next_links, page_of
from compute.rest.versions import window

_KEY = {'type': 'string', 'minLength': 1, 'maxLength': 16384}
_USER = {**USER_ID, 'minLength': 1}
_TYPE = {'type': 'string', 'enum': [SSH, X509]}
_PLAIN_NAME = {**NAME, 'pattern': r'^(?! )[a-zA-Z0-9 _-]+(?<! )\Z'}
_DOTTED_NAME = {**NAME, 'pattern': r'^(?! )[a-zA-Z0-9 @._-]+(?<! )\Z'}

CREATE = Body('keypair', fields(
    name=Either(Until('2.92', _PLAIN_NAME, required=True), Since('2.92', _DOTTED_NAME, required=True)),
    public_key=Either(Until('2.92', _KEY), Since('2.92', _KEY, required=True)),
    type=Since('2.2', _TYPE),
    user_id=Since('2.10', _USER)))

_KEYPAIR = fields(type=Since('2.2', _TYPE))
_ONE = View('keypair', _KEYPAIR)
_LIST = View('keypairs', fields(keypair=_KEYPAIR), many=True)
_WHOSE = {'user_id': Since('2.10', USER_ID)}
_LISTED = Query(fields(_WHOSE, limit=Since('2.35', LIMIT), marker=Since('2.35', STRING)), strict=window('2.75'))
_NAMED = Query(fields(_WHOSE), strict=window('2.75'))


def index(call: Call) -> Any:
    """List a user's key pairs by name; in one piece before pages came."""
    owner = _owner(call, call.query.get('user_id'))
    page = page_of(call, call.app.conf.api.max_limit)
    limit = page.limit if call.facts['pages'] else None
    found = call.app.db.read(lambda connection: keypairs.page(connection, owner, limit, page.marker))
    links = {}
    if call.facts['pages']:
        links = next_links(call, 'keypairs', '/os-keypairs', found, page, found[-1].name if found else None)
    return {'keypairs': [{'keypair': _brief(keypair)} for keypair in found], **links}


def show(call: Call) -> Any:
    """Show a key pair."""
    owner = _owner(call, call.query.get('user_id'))
    keypair = call.app.db.read(lambda connection: keypairs.get(connection, owner, call.path['id']))
    stored = {'id': keypair.id, 'user_id': owner, 'created_at': precise(keypair.created_at), 'updated_at': None,
              'deleted': False, 'deleted_at': None}
    return {'keypair': {**_brief(keypair), **stored}}


def create(call: Call) -> Any:
    """Import a public key, or make a pair and answer with its private half, which is shown this once."""
    body = call.body
    owner, kind, public = _owner(call, body.get('user_id')), body.get('type', SSH), body.get('public_key')
    secret = {}
    if public is None:
        public, private = crypto.make_ssh() if kind == SSH else crypto.make_x509(owner)
        secret = {'private_key': private}
    public = public.strip() if kind == SSH else public
    fingerprint = crypto.ssh_fingerprint(public) if kind == SSH else crypto.x509_fingerprint(public)
    keypair = Keypair(user_id=owner, name=body['name'], type=kind, fingerprint=fingerprint, public_key=public)
    _insert(call, keypair)
    return {'keypair': {**_brief(keypair), 'user_id': owner, **secret}}


def delete(call: Call) -> None:
    """Delete a key pair."""
    owner = _owner(call, call.query.get('user_id'))
    call.app.db.transaction(lambda connection: keypairs.delete(connection, owner, call.path['id']))


def _owner(call: Call, wanted: str | None) -> str:
    """Return whose key pairs are meant. :raises Forbidden: another user's, and the caller may not."""
    own = call.context.user_id or ''
    if wanted is None or wanted == own:
        return own
    call.demand(str(call.op.policy), {'user_id': wanted})
    return wanted


def _insert(call: Call, keypair: Keypair) -> None:
    """Add a key pair if its owner may have one more: nobody of the project counts or adds at the same time."""
    project, owner = call.context.project_id or '', keypair.user_id
    def write(connection: Connection) -> None:
        quotas.lock_project(connection, project)
        limit = quotas.limits_of(connection, call.app.conf, project, owner, binding=True)['key_pairs']
        if limit != quotas.UNLIMITED and keypairs.count(connection, owner) >= limit:
            raise OverQuota('Quota exceeded, too many key pairs.')
        keypairs.insert(connection, keypair)
    call.app.db.transaction(write)


def _brief(keypair: Keypair) -> dict[str, Any]:
    return {'name': keypair.name, 'public_key': keypair.public_key, 'fingerprint': keypair.fingerprint,
            'type': keypair.type}


RESOURCE = Resource('os-keypairs', (
    Op('GET', '/os-keypairs', index, query=_LISTED, view=_LIST, policy=policy.INDEX, facts={'pages': window('2.35')}),
    Op('POST', '/os-keypairs', create, body=CREATE, view=_ONE, policy=policy.CREATE,
       status=(('2.1', 200), ('2.2', 201))),
    Op('GET', '/os-keypairs/{id}', show, query=_NAMED, view=_ONE, policy=policy.SHOW),
    Op('DELETE', '/os-keypairs/{id}', delete, query=_NAMED, policy=policy.DELETE,
       status=(('2.1', 202), ('2.2', 204))),
))
