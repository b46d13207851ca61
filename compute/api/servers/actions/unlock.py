"""unlock."""

from __future__ import annotations

from compute.api.schema import NULL
from compute.api.servers.load import load
from compute.control.instances import unlock as control
from compute.policies import unlock as policy
from compute.rest.call import Call
from compute.rest.fields import Either, Since, Until, fields
from compute.rest.op import Body, Op, nothing


def unlock(call: Call) -> None:
    """Unlock the server. :raises Forbidden: an administrator locked it, and the caller is none."""
    if not control.is_own_lock(call.context, call.target):
        call.demand(policy.OVERRIDE)
    control.unlock(call.app, call.context, call.target)


OP = Op('ACTION', 'unlock', unlock, policy=policy.UNLOCK, loads=load, status=202, again=nothing, body=Body(None, fields(
    unlock=Either(Until('2.73', NULL, required=True), Since('2.73', {}, required=True)))))
