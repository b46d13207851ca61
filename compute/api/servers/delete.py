"""Delete a server."""

from __future__ import annotations

from compute.control.instances import delete as control
from compute.rest.call import Call


def delete(call: Call) -> None:
    """Begin to delete; asking again while it goes on is no error."""
    control.delete(call.app, call.context, call.target)
