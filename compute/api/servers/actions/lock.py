"""lock."""

from __future__ import annotations

from compute.api.servers.load import load
from compute.control.instances import lock as control
from compute.policies import lock as policy
from compute.rest.call import Call
from compute.rest.fields import Either, Since, Until, fields
from compute.rest.op import Body, Op, nothing

_NOTHING = {'type': ['object', 'null'], 'maxProperties': 0}
_REASON = fields(locked_reason={'type': 'string', 'minLength': 1, 'maxLength': 255}, null=True)


def lock(call: Call) -> None:
    """Lock the server, from 2.73 with a reason."""
    control.lock(call.app, call.context, call.target, (call.body['lock'] or {}).get('locked_reason'))


OP = Op('ACTION', 'lock', lock, policy=policy.LOCK, loads=load, status=202, again=nothing, body=Body(None, fields(
    lock=Either(Until('2.73', _NOTHING, required=True), Since('2.73', _REASON, required=True)))))
