"""os-start."""

from __future__ import annotations

from compute.api.servers.load import load
from compute.control.instances import start as control
from compute.policies import start as policy
from compute.rest.call import Call
from compute.rest.op import Op, nothing


def start(call: Call) -> None:
    """Begin to start the server."""
    control.start(call.app, call.context, call.target)


OP = Op('ACTION', 'os-start', start, policy=policy.START, loads=load, status=202, again=nothing)
