"""Tokens: get, see, revoke; what a holder can reach; the keys and revocations that other daemons check with."""

from __future__ import annotations

import time
from typing import Any

from compute.builtin.identity.db import reachable, revocations
from compute.builtin.identity.issue import catalog_of, document, issue
from compute.builtin.identity.resources import domains, projects
from compute.builtin.identity.resources.shapes import ID, NAME, SECRET, bounded, most_of
from compute.exception import Invalid, NotFound, Unauthorized
from compute.rest.call import Call
from compute.rest.claims import Claims
from compute.rest.fields import Fields, ListOf, OneOf, Required, fields
from compute.rest.op import Body, Op, Query, Resource
from compute.rest.reply import Reply

_BY_ID = fields(id=Required(ID))
_DOMAIN = OneOf((fields(id=Required(ID), extra=True), fields(name=Required(NAME))))


def _named(**more: Any) -> OneOf:
    """By id (a domain beside it says nothing new), or by name and domain."""
    return OneOf((fields(id=Required(ID), name={}, domain={}, **more),
                  fields(name=Required(NAME), domain=Required(_DOMAIN), **more)))


_PASSWORD = fields(user=Required(_named(password=Required({'type': 'string', 'maxLength': 4096}))))
_CREDENTIAL = OneOf((fields(id=Required(ID), secret=Required(SECRET), name={}, user={}),
                     fields(name=Required(NAME), secret=Required(SECRET), user=Required(_named()))))
_SCOPE = OneOf((
    {'type': 'null'}, {'const': 'unscoped'}, fields(project=Required(_named())), fields(domain=Required(_DOMAIN)),
    fields(system=Required(fields(all=Required({'const': True})))), fields(unscoped=Required(fields(extra=True)))))
_IDENTITY: Fields = fields(
    {'methods': Required(ListOf({'type': 'string'}, {'minItems': 1, 'maxItems': 8})), 'password': _PASSWORD,
     'token': fields(id=Required({'type': 'string', 'maxLength': 8192})), 'application_credential': _CREDENTIAL},
    extra=True)
AUTH = Body('auth', fields(identity=Required(_IDENTITY), scope=_SCOPE))
_FLAGS = Query(fields(nocatalog={}, allow_expired={}))


def create(call: Call) -> Reply:
    """Issue a token."""
    token, claims = issue(call.app, call.body, call.address)
    return _answer(call, token, claims)


def subject(call: Call) -> dict[str, Any]:
    """Load the token that a request is about; an expired one too, the handlers decide."""
    token = call.headers.get('X-Subject-Token')
    if not token:
        raise Invalid('The header X-Subject-Token is missing')
    try:
        claims = call.app.checker.claims(token, grace=revocations.GRACE)
    except Unauthorized as error:
        raise NotFound(f'Could not find token: {error.message}.', code=error.code) from None
    return {'user_id': claims.user.id, 'token': token, 'claims': claims}


def show(call: Call) -> Reply:
    """Show what a token says. An expired one is shown to services that finish what was begun with it."""
    claims: Claims = call.target['claims']
    if claims.expires_at <= time.time():
        if call.query.get('allow_expired', '0') not in ('1', 'true', 'True'):
            raise NotFound('Could not find token: The token has expired.', code='token_expired')
        call.demand('identity:validate_expired_token')
    return _answer(call, call.target['token'], claims)


def revoke(call: Call) -> None:
    """Revoke a token; with one that was not made from another end those that were made from it."""
    claims: Claims = call.target['claims']
    kind = 'chain' if len(claims.audit_ids) == 1 else 'token'
    call.app.write(lambda connection: revocations.revoke(connection, kind, claims.audit_ids[0], claims.expires_at))


def own_catalog(call: Call) -> dict[str, Any]:
    """Show the catalog of the caller's token."""
    claims = call.app.checker.claims(call.context.auth_token)
    if not claims.scope:
        raise Unauthorized('An unscoped token has no catalog.')
    return {'catalog': catalog_of(call.app, claims), 'links': {'self': call.link('/auth/catalog')}}


def own_projects(call: Call) -> dict[str, Any]:
    """List the projects that the caller can get a token for."""
    rows = call.app.read(reachable.projects_of, call.context.user_id, most_of(call))
    return bounded(call, 'projects', '/auth/projects', rows, projects.shown)


def own_domains(call: Call) -> dict[str, Any]:
    """List the domains that the caller can get a token for."""
    rows = call.app.read(reachable.domains_of, call.context.user_id, most_of(call))
    return bounded(call, 'domains', '/auth/domains', rows, domains.shown)


def own_system(call: Call) -> dict[str, Any]:
    """Tell whether the caller can get a token for the system."""
    found = call.app.read(reachable.has_system, call.context.user_id)
    return {'system': [{'all': True}] if found else [], 'links': {'self': call.link('/auth/system')}}


def signing_keys(call: Call) -> Reply:
    """Publish the keys that tokens are checked with."""
    return Reply({'keys': call.app.keys.public()}, headers={'Cache-Control': 'no-cache'})


def revoked(call: Call) -> Reply:
    """Publish the revocations after a number. Ids only: they say nothing to who does not hold the token."""
    answer = call.app.local.revocations(int(call.query.get('since') or 0))
    return Reply(answer, headers={'Cache-Control': 'no-cache'})


def _answer(call: Call, token: str, claims: Claims) -> Reply:
    body = document(call.app, claims, with_catalog='nocatalog' not in call.query)
    return Reply(body, headers={'X-Subject-Token': token, 'Vary': 'X-Auth-Token', 'Cache-Control': 'no-store'})


TOKENS = Resource('tokens', (
    Op('POST', '/auth/tokens', create, public=True, status=201, body=AUTH, query=_FLAGS),
    Op('GET', '/auth/tokens', show, policy='identity:validate_token', loads=subject, query=_FLAGS),
    Op('DELETE', '/auth/tokens', revoke, policy='identity:revoke_token', loads=subject, status=204),
    Op('GET', '/auth/catalog', own_catalog, policy='identity:get_auth_catalog'),
    Op('GET', '/auth/projects', own_projects, policy='identity:get_auth_projects'),
    Op('GET', '/auth/domains', own_domains, policy='identity:get_auth_domains'),
    Op('GET', '/auth/system', own_system, policy='identity:get_auth_system'),
    Op('GET', '/auth/signing-keys', signing_keys, public=True),
    Op('GET', '/auth/revocations', revoked, public=True,
       query=Query(fields(since={'type': 'string', 'pattern': '^[0-9]{1,18}$'}))),
))
