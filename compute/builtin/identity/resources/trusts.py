"""Trusts: there are none here. Clients that list them get an empty list."""

from __future__ import annotations

from typing import Any

from compute.builtin.identity.resources.shapes import ID, listing, listing_query
from compute.exception import NotFound
from compute.rest.call import Call
from compute.rest.op import Op, Resource

_PATH = '/OS-TRUST/trusts'


def index(call: Call) -> dict[str, Any]:
    """List trusts: none."""
    return listing(call, 'trusts', _PATH, [])


def show(call: Call) -> None:
    """Show a trust. :raises NotFound: always."""
    raise NotFound(f'Could not find trust: {call.path["trust_id"]}.')


TRUSTS = Resource('trusts', (
    Op('GET', _PATH, index, policy='identity:list_trusts', query=listing_query(trustor_user_id=ID, trustee_user_id=ID)),
    Op('GET', '/OS-TRUST/trusts/{trust_id}', show, policy='identity:get_trust'),
))
