"""resize."""

from __future__ import annotations

from compute.api.servers.load import load
from compute.control.instances import resize as control
from compute.policies import resize as policy
from compute.rest.call import Call
from compute.rest.fields import Required, fields
from compute.rest.op import Body, Op, nothing

_BODY = Body('resize', fields({
    'flavorRef': Required({'type': ['string', 'integer'], 'minLength': 1}),
    'OS-DCF:diskConfig': {'type': 'string', 'enum': ['AUTO', 'MANUAL']}}))


def resize(call: Call) -> None:
    """Begin to resize the server to a flavor. Partitions inside the guest are its own business: diskConfig is kept."""
    control.resize(call.app, call.context, call.target, str(call.body['flavorRef']))


OP = Op('ACTION', 'resize', resize, policy=policy.RESIZE, loads=load, status=202, again=nothing, body=_BODY)
