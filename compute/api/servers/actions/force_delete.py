"""forceDelete: like DELETE, for clients that skip a recycle bin."""

from __future__ import annotations

from compute.api.servers.actions.plain import plain
from compute.control.instances import delete as control
from compute.policies import force_delete as policy
from compute.rest.call import Call


def force_delete(call: Call) -> None:
    """Begin to delete the server."""
    control.delete(call.app, call.context, call.target)


OP = plain('forceDelete', force_delete, policy.FORCE_DELETE)
