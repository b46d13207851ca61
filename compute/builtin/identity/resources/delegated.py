"""What a delegated token may reach: one that was got with an application credential or an EC2 key.

It is for one project of one user. It reaches only what belongs to both; with an application credential, only the
credentials that were made with the same application credential.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compute.builtin.identity.db.nouns import Row
from compute.exception import Forbidden
from compute.rest.call import Call
from compute.rest.claims import Claims

Reach = dict[str, str]
"""Columns and the values that they must have. Empty: everything that policy allows."""


def claims_of(call: Call) -> Claims:
    """Return the values of the caller's token."""
    found: Claims = call.app.checker.claims(call.context.auth_token)
    return found


def reach_of(claims: Claims) -> Reach:
    """Return what a token reaches of things that belong to a user and a project."""
    if not claims.credential and not claims.pair:
        return {}
    return {'user_id': claims.user.id, 'project_id': claims.project.id if claims.project else ''}


def reach_of_credentials(claims: Claims) -> Reach:
    """Return which credentials a token reaches. :raises Forbidden: its application credential is restricted."""
    if not claims.credential:
        return reach_of(claims)
    if claims.credential.restricted:
        raise Forbidden('A restricted application credential cannot reach credentials.')
    return {**reach_of(claims), 'application_credential_id': claims.credential.id}


def is_reached(row: Row, reach: Reach) -> bool:
    """Return whether a row is within reach."""
    return all(row[name] == value for name, value in reach.items())


def narrowed(filters: Mapping[str, Any], reach: Reach) -> Row:
    """Return the filters of a list that shows only what is within reach."""
    outside = any(filters.get(name, value) != value for name, value in reach.items())
    return {**filters, **reach, **({'user_id': ''} if outside else {})}  # no user has this id


def demand_own_rights(claims: Claims, things: str = 'credentials') -> None:
    """Return if a token may create, change and delete credentials. :raises Forbidden:"""
    if claims.pair:
        raise Forbidden(f'A token of an EC2 key can neither create nor change {things}.')
    if claims.credential and claims.credential.restricted:
        raise Forbidden(f'A restricted application credential can neither create nor change {things}.')


def demand_place(call: Call, claims: Claims, rule: str, user_id: str, project_id: str | None, *,
                 elsewhere: bool = False) -> None:
    """Return if a token may put a credential of this user into this project.

    An administrator may, except with an application credential. ``elsewhere``: the user has roles on the project.

    :raises Forbidden:
    """
    own = claims.project.id if claims.project else None
    if claims.credential:
        if (user_id, project_id) != (claims.user.id, own):
            raise Forbidden('An application credential can create credentials only for its own user and project.')
    elif project_id not in (None, own) and not elsewhere and not call.may(rule, {'user_id': ''}):
        raise Forbidden(f'project_id is {project_id}, which is not the project of the token. Only an administrator can '
                        'create credentials for other projects.')
