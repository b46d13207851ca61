"""The row of an action without parameters. Clients send null, {} and other values; none of them means anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from compute.api.servers.load import load
from compute.control import operation
from compute.objects.kinds import Kind
from compute.rest.call import Call
from compute.rest.op import Op, nothing

ANYTHING: dict[str, Any] = {}
"""The schema of the value, for an action that takes parameters from a later version on."""


def plain(key: str, handler: Callable[[Call], None], policy: str, status: int = 202, **more: Any) -> Op:
    """Return the row of action ``key``: any value is accepted at every version, and the answer has no body."""
    return Op('ACTION', key, handler, policy=policy, loads=load, status=status, again=nothing, **more)


def operation_of(key: str, kind: Kind[Any, Any], policy: str, **more: Any) -> Op:
    """Return the row of an action that opens an operation without arguments."""
    def handle(call: Call) -> None:
        operation.run(call.app, call.context, call.target, kind)
    handle.__doc__ = f'Begin to {kind.name} the server.'
    return plain(key, handle, policy, **more)
