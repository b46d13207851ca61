"""forceDelete: like DELETE, for clients that skip a recycle bin."""

from __future__ import annotations

from compute.api.servers.load import load
from compute.control.instances import delete as control
from compute.policies import force_delete as policy
from compute.rest.call import Call
from compute.rest.op import Op, nothing


def force_delete(call: Call) -> None:
    """Begin to delete the server."""
    control.delete(call.app, call.context, call.target)


OP = Op('ACTION', 'forceDelete', force_delete, policy=policy.FORCE_DELETE, loads=load, status=202, again=nothing)
