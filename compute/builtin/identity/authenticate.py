"""Who is it: from the ``identity`` part of a request for a token to a user.

Whatever is wrong (no such user, wrong password, disabled, locked out) gives one and the same 401 after the same work;
the reason is in the log only.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from compute.builtin.identity import lockout
from compute.builtin.identity.app import Identity
from compute.builtin.identity.db.nouns import CREDENTIALS, DOMAINS, USERS, Row
from compute.exception import NotFound, Unauthorized
from compute.rest.claims import Claims

LOG = logging.getLogger(__name__)
REFUSAL = 'The request you have made requires authentication.'


@dataclass(frozen=True)
class Proof:
    """An authenticated user, how it was proved, and what the new token is bound to.

    ``credential`` is an application credential, ``pair`` the id of an EC2 key pair.
    """

    user: Row
    methods: tuple[str, ...]
    parent: Claims | None = None
    credential: Row | None = None
    pair: str | None = None


def refuse(reason: str, *args: Any) -> Unauthorized:
    """Log why, and return the error that does not say why."""
    LOG.info('authentication refused: ' + reason, *args)
    return Unauthorized(REFUSAL)


def prove(app: Identity, identity: dict[str, Any], address: str) -> Proof:
    """Check every method that is named; all must be of the same user. ``address`` is the client's.

    :raises Unauthorized:
    """
    proofs = []
    for method in dict.fromkeys(identity['methods']):
        check = METHODS.get(method)
        if check is None or method not in identity:
            raise Unauthorized(f'Authentication by {method!r} is not possible: it takes '
                               f'{", ".join(METHODS)}, each with its part of the body.')
        proofs.append(check(app, identity[method], address))
    first = proofs[0]
    if any(proof.user['id'] != first.user['id'] for proof in proofs):
        raise refuse('methods of one request name different users')
    demand_enabled(app, first.user)
    methods = tuple(dict.fromkeys(method for proof in proofs for method in proof.methods))
    return Proof(first.user, methods, next((proof.parent for proof in proofs if proof.parent), None),
                 next((proof.credential for proof in proofs if proof.credential), None),
                 next((proof.pair for proof in proofs if proof.pair), None))


def by_password(app: Identity, data: dict[str, Any], address: str) -> Proof:
    """Check a password, with the count of wrong ones that locks a user out."""
    user = check_password(app, find_user(app, data['user']), data['user']['password'], address)
    return Proof(user, ('password',))


def by_token(app: Identity, data: dict[str, Any], address: str) -> Proof:
    """Check a token; what is made from it ends with it."""
    claims = app.checker.claims(data['id'])
    try:
        user = app.read(USERS.get, claims.user.id)
        credential = app.read(CREDENTIALS.get, claims.credential.id) if claims.credential else None
    except NotFound as error:
        raise refuse('%s', error.message) from None
    return Proof(user, (*claims.methods, 'token'), claims, credential, claims.pair)


def by_credential(app: Identity, data: dict[str, Any], address: str) -> Proof:
    """Check the secret of an application credential, named by id or by name and user."""
    found = _find_credential(app, data)
    if found is None:
        app.passwords.fits(data['secret'], None)
        raise refuse('no such application credential')
    user = app.read(USERS.get, found['user_id'])
    if not lockout.fits(app, data['secret'], found['secret_hash'], found['id'], address, exempt=_is_exempt(user)):
        raise refuse('wrong secret for application credential %s, or locked out', found['id'])
    demand_unexpired(found)
    return Proof(user, ('application_credential',), credential=found)


def demand_unexpired(credential: Row) -> None:
    """Return if an application credential still holds. :raises Unauthorized:"""
    end, fraction = credential['expires_at'], credential['expires_micro'] or 0
    if end is not None and end + fraction / 1e6 <= time.time():
        raise refuse('application credential %s has expired', credential['id'])


METHODS: dict[str, Callable[[Identity, dict[str, Any], str], Proof]] = {
    'password': by_password, 'token': by_token, 'application_credential': by_credential}


def find_user(app: Identity, named: dict[str, Any]) -> Row | None:
    """Return a user with its hidden columns, by id or by name and domain; None if there is none."""
    def find(connection: sa.Connection) -> Row | None:
        if 'id' in named:
            user = USERS.find(connection, id=named['id'])
        else:
            domain = find_domain(connection, named.get('domain') or {'id': 'default'})
            user = domain and USERS.find(connection, name=named['name'], domain_id=domain['id'])
        return USERS.secret(connection, user['id']) if user else None
    return app.read(find)


def find_domain(connection: sa.Connection, named: dict[str, Any]) -> Row | None:
    """Return a domain by id or name."""
    return DOMAINS.find(connection, **({'id': named['id']} if 'id' in named else {'name': named['name']}))


def check_password(app: Identity, user: Row | None, password: str, address: str) -> Row:
    """Return the user if the password fits. :raises Unauthorized: it does not, or the user is locked out."""
    if user is None:
        app.passwords.fits(password, None)
        raise refuse('no such user')
    if not lockout.fits(app, password, user['password_hash'], user['id'], address, exempt=_is_exempt(user)):
        raise refuse('wrong password for user %s, or locked out', user['id'])
    return app.read(USERS.get, user['id'])


def _is_exempt(user: Row) -> bool:
    return bool(user['options'].get('ignore_lockout_failure_attempts'))


def _find_credential(app: Identity, data: dict[str, Any]) -> Row | None:
    user = None if 'id' in data else find_user(app, data.get('user') or {'id': ''})

    def find(connection: sa.Connection) -> Row | None:
        if 'id' in data:
            found = CREDENTIALS.find(connection, id=data['id'])
        else:
            found = user and CREDENTIALS.find(connection, name=data['name'], user_id=user['id'])
        return CREDENTIALS.secret(connection, found['id']) if found else None
    return app.read(find)


def demand_enabled(app: Identity, user: Row) -> None:
    """Return if a user and its domain are enabled. :raises Unauthorized:"""
    if not user['enabled']:
        raise refuse('user %s is disabled', user['id'])
    if not app.read(DOMAINS.get, user['domain_id'])['enabled']:
        raise refuse('domain %s of user %s is disabled', user['domain_id'], user['id'])
