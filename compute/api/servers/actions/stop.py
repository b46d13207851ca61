"""os-stop."""

from __future__ import annotations

from compute.api.servers.load import load
from compute.control.instances import stop as control
from compute.policies import stop as policy
from compute.rest.call import Call
from compute.rest.op import Op, nothing


def stop(call: Call) -> None:
    """Begin to stop the server."""
    control.stop(call.app, call.context, call.target)


OP = Op('ACTION', 'os-stop', stop, policy=policy.STOP, loads=load, status=202, again=nothing)
