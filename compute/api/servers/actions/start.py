"""os-start."""

from __future__ import annotations

from compute.api.servers.actions.plain import plain
from compute.control.instances import start as control
from compute.policies import start as policy
from compute.rest.call import Call


def start(call: Call) -> None:
    """Begin to start the server."""
    control.start(call.app, call.context, call.target)


OP = plain('os-start', start, policy.START)
