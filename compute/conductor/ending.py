"""How operations end, in the ledger and on the server, in one transaction."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Connection

from compute import exception, states
from compute.conductor.conductor import Conductor
from compute.db import instances, operations
from compute.objects.instance import Fault, Instance
from compute.objects.kinds import kind_of
from compute.objects.kinds.kind import KEEP
from compute.objects.operation import DONE, FAILED, InstanceUpdate, Operation, OperationError, StageBegan, Work
from compute.objects.value import encode, now


def error_of(error: Exception, stage: str) -> OperationError:
    """Return an error as the ledger keeps it; an unexpected one shows no more than its kind."""
    if isinstance(error, exception.ComputeError):
        return OperationError.of(error, stage)
    return OperationError(code='internal', message=f'An unexpected error of type {type(error).__name__} stopped it',
                          stage=stage)


def changes(update: InstanceUpdate | None, host: str | None) -> dict[str, Any]:
    """Return what an update from a host means in columns."""
    values: dict[str, Any] = {}
    if update is None:
        return values
    if update.vm_state is not None and update.vm_state not in states.VM_STATES:
        raise exception.Invalid(f'vm_state {update.vm_state!r} is none')
    for name in ('vm_state', 'power_state'):
        if (value := getattr(update, name)) is not None:
            values[name] = value
    if update.nics is not None:
        values['nics'] = encode(update.nics)
    if update.launched:
        values['launched_on'] = host
        values['launched_at'] = instances.once_launched(now())
    if update.clear_fault:
        values['fault'] = None
    return values


def finish(connection: Connection, operation: Operation, update: InstanceUpdate,
           stages: tuple[StageBegan, ...] = ()) -> None:
    """End an operation well, and write what its host says of the server, and of stages that were not told yet."""
    if not operations.end(connection, operation, DONE, stages=stages):
        raise exception.Stale(f'operation {operation.id} ended before')
    if not instances.update(connection, operation.instance_uuid, task_state=None, operation_id=None, progress=100,
                            **changes(update, operation.host)):
        raise exception.Stale(f'server {operation.instance_uuid} is gone')


def fault_of(error: OperationError) -> Fault:
    """Return what clients are shown of an error."""
    return Fault(code=error.status if error.status else 500, reason=error.code, message=error.message,
                 for_users=error.for_users, details=error.hint or '', stage=error.stage, hint=error.hint,
                 retryable=error.retryable, created_at=now())


def fail(connection: Connection, operation: Operation, instance: Instance, error: OperationError,
         update: InstanceUpdate | None = None, *, vm_state: str | None = None) -> None:
    """End an operation that failed. The server gets a fault, and keeps its state unless the kind declares ERROR.

    A kind that asks the conductor's handler what becomes of the server has come to its end here: ERROR.

    :param vm_state: of the server from now on, instead of what the kind declares.
    """
    if not operations.end(connection, operation, FAILED, error):
        return
    values = changes(update, instance.host)
    if vm_state is not None or kind_of(operation.kind).on_failure != KEEP:
        values['vm_state'] = vm_state or states.ERROR
    instances.update(connection, instance.uuid, task_state=None, operation_id=None, fault=encode(fault_of(error)),
                     **values)


def end_failed(conductor: Conductor, work: Work, error: OperationError) -> None:
    """End an operation badly in a transaction of its own, unless another conductor goes on with it."""
    def write(connection: Connection) -> None:
        if conductor.holds(connection, work.operation.id):
            fail(connection, work.operation, work.instance, error)
    conductor.db.transaction(write)
