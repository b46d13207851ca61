"""migrate."""

from __future__ import annotations

from typing import Any

from compute.api.servers.actions.plain import ANYTHING, plain
from compute.control.instances import migrate as control
from compute.exception import Forbidden
from compute.policies import migrate_server as policy
from compute.rest.call import Call
from compute.rest.fields import Either, Since, Until, fields
from compute.rest.op import Body

_HOST = fields(host={'type': ['string', 'null'], 'minLength': 1, 'maxLength': 255}, null=True)


def migrate(call: Call) -> None:
    """Begin to migrate the server to another host, from 2.56 on to the one that is named."""
    host = (call.body['migrate'] or {}).get('host')
    if host is not None and not call.may(policy.MIGRATE_HOST):
        raise Forbidden('Only administrators may name the host to which a server is migrated', code='policy')
    control.migrate(call.app, call.context, call.target, host)


def _without_host(body: dict[str, Any]) -> dict[str, Any]:
    """Up to 2.55 migrate has no parameters: return the body of 2.56 for any value."""
    return {'migrate': None}


OP = plain('migrate', migrate, policy.MIGRATE, body=Body(None, fields(
    migrate=Either(Until('2.56', ANYTHING, required=True), Since('2.56', _HOST, required=True))),
    lifts=(('2.56', _without_host),)))
