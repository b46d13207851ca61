"""lock."""

from __future__ import annotations

from typing import Any

from compute.api.servers.actions.plain import ANYTHING, plain
from compute.control.instances import lock as control
from compute.policies import lock as policy
from compute.rest.call import Call
from compute.rest.fields import Either, Since, Until, fields
from compute.rest.op import Body

_REASON = fields(locked_reason={'type': 'string', 'minLength': 1, 'maxLength': 255}, null=True)


def lock(call: Call) -> None:
    """Lock the server, from 2.73 with a reason."""
    control.lock(call.app, call.context, call.target, (call.body['lock'] or {}).get('locked_reason'))


def _without_reason(body: dict[str, Any]) -> dict[str, Any]:
    """Up to 2.72 lock has no parameters: return the body of 2.73 for any value."""
    return {'lock': None}


OP = plain('lock', lock, policy.LOCK, body=Body(None, fields(
    lock=Either(Until('2.73', ANYTHING, required=True), Since('2.73', _REASON, required=True))),
    lifts=(('2.73', _without_reason),)))
