"""confirmResize."""

from __future__ import annotations

from compute.api.servers.actions.plain import plain
from compute.control.instances import confirm_resize as control
from compute.policies import confirm_resize as policy
from compute.rest.call import Call


def confirm_resize(call: Call) -> None:
    """Begin to confirm the last resize or cold migration of the server."""
    control.confirm_resize(call.app, call.context, call.target)


OP = plain('confirmResize', confirm_resize, policy.CONFIRM_RESIZE, status=204)
