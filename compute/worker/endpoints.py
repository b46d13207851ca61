"""The RPC end of a worker's operations: it hands each to the runner and returns at once."""

from __future__ import annotations

from compute import context as ctx
from compute.objects.operation import OperationRef
from compute.rpc.worker import Operations
from compute.worker.runner import Runner


class HostOperations(Operations):
    """Begins operations of all kinds on this host."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def begin(self, context: ctx.RequestContext, *, operation_id: int, kind: str, instance_uuid: str) -> None:
        self._runner.submit(context, OperationRef(operation_id=operation_id, kind=kind, instance_uuid=instance_uuid))
