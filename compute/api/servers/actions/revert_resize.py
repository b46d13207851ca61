"""revertResize."""

from __future__ import annotations

from compute.api.servers.actions.plain import plain
from compute.control.instances import revert_resize as control
from compute.policies import revert_resize as policy
from compute.rest.call import Call


def revert_resize(call: Call) -> None:
    """Begin to revert the last resize or cold migration of the server."""
    control.revert_resize(call.app, call.context, call.target)


OP = plain('revertResize', revert_resize, policy.REVERT_RESIZE)
