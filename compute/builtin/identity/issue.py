"""Makes tokens, and shows what they say in the shape of Keystone's token document."""

from __future__ import annotations

import base64
import secrets
import time
from datetime import UTC, datetime
from typing import Any

from compute.builtin.identity.app import Identity
from compute.builtin.identity.authenticate import Proof, prove
from compute.builtin.identity.db import catalog, revocations
from compute.builtin.identity.db.nouns import DOMAINS
from compute.builtin.identity.scope import Scope, scope_of
from compute.rest.claims import Claims, Credential, Place


def issue(app: Identity, auth: dict[str, Any], address: str) -> tuple[str, Claims]:
    """Authenticate, find the scope and sign. ``address`` is the client's.

    :raises Unauthorized: one text for every reason, see ``authenticate``.
    """
    revision = app.read(revocations.newest)  # before anything else is read: a later change then ends this token
    proof = prove(app, auth['identity'], address)
    return sign(app, proof, app.read(scope_of, proof, auth.get('scope')), revision)


def sign(app: Identity, proof: Proof, scope: Scope, revision: int) -> tuple[str, Claims]:
    """Return a token. ``revision`` is that of the newest revocation before anything was read."""
    claims = _claims(app, proof, scope, revision)
    return app.keys.sign(claims.to_wire()), claims


def _claims(app: Identity, proof: Proof, scope: Scope, revision: int) -> Claims:
    user, parent, credential = proof.user, proof.parent, proof.credential
    domain = app.read(DOMAINS.get, user['domain_id'])
    now = int(time.time())
    ends = [now + app.options.token_lifetime]
    if parent:
        ends.append(parent.expires_at)
    if credential and credential['expires_at'] is not None:
        ends.append(credential['expires_at'])
    audit_id = base64.urlsafe_b64encode(secrets.token_bytes(16)).rstrip(b'=').decode()
    return Claims(
        user=Place(user['id'], user['name'], domain['id'], domain['name']), methods=proof.methods,
        audit_ids=(audit_id, parent.audit_ids[-1]) if parent else (audit_id,), revision=revision, issued_at=now,
        expires_at=min(ends), project=scope.project, domain=scope.domain, system=scope.system, roles=scope.roles,
        credential=Credential(credential['id'], credential['name'], not credential['unrestricted'])
        if credential else None, sources=scope.sources, pair=proof.pair)


def document(app: Identity, claims: Claims, *, with_catalog: bool = True) -> dict[str, Any]:
    """Return the body of an answer about a token. An unscoped token has no catalog."""
    token: dict[str, Any] = {
        'methods': list(claims.methods), 'user': {**_placed(claims.user), 'password_expires_at': None},
        'audit_ids': list(claims.audit_ids), 'expires_at': iso(claims.expires_at), 'issued_at': iso(claims.issued_at)}
    if claims.project:
        token |= {'project': _placed(claims.project), 'is_domain': False}
    if claims.domain:
        token['domain'] = claims.domain._asdict()
    if claims.system:
        token['system'] = {'all': True}
    if claims.scope:
        token['roles'] = [role._asdict() for role in claims.roles]
        if with_catalog:
            token['catalog'] = catalog_of(app, claims)
    if claims.credential:
        token['application_credential'] = claims.credential._asdict()
    return {'token': token}


def catalog_of(app: Identity, claims: Claims) -> list[dict[str, Any]]:
    """Return the catalog as this token's holder sees it."""
    return app.read(catalog.catalog, claims.user.id, claims.project.id if claims.project else None)


def iso(seconds: int, micro: int = 0) -> str:
    """Return a time as Keystone writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime(f'%Y-%m-%dT%H:%M:%S.{micro:06d}Z')


def _placed(place: Place) -> dict[str, Any]:
    return {'id': place.id, 'name': place.name, 'domain': {'id': place.domain_id, 'name': place.domain_name}}
