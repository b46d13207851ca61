"""The row of an action without parameters. Clients send null, {} and other values; none of them means anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from compute.api.servers.load import load
from compute.rest.call import Call
from compute.rest.op import Op, nothing

ANYTHING: dict[str, Any] = {}
"""The schema of the value, for an action that takes parameters from a later version on."""


def plain(key: str, handler: Callable[[Call], None], policy: str, **more: Any) -> Op:
    """Return the row of action ``key``: any value is accepted at every version, and the answer is 202 without body."""
    return Op('ACTION', key, handler, policy=policy, loads=load, status=202, again=nothing, **more)
