"""unlock."""

from __future__ import annotations

from compute.api.servers.actions.plain import plain
from compute.control.instances import unlock as control
from compute.policies import unlock as policy
from compute.rest.call import Call


def unlock(call: Call) -> None:
    """Unlock the server. :raises Forbidden: an administrator locked it, and the caller is none."""
    if not control.is_own_lock(call.context, call.target):
        call.demand(policy.OVERRIDE)
    control.unlock(call.app, call.context, call.target)


OP = plain('unlock', unlock, policy.UNLOCK)
