"""os-stop."""

from __future__ import annotations

from compute.api.servers.actions.plain import plain
from compute.control.instances import stop as control
from compute.policies import stop as policy
from compute.rest.call import Call


def stop(call: Call) -> None:
    """Begin to stop the server."""
    control.stop(call.app, call.context, call.target)


OP = plain('os-stop', stop, policy.STOP)
