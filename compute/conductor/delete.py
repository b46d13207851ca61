"""A server's end: at its host, or here when it has none or the host is down; then claim, quota and row are released.

A delete never gives up half-way: what fails is tried again until the deadline, and then the server shows why.
"""

from __future__ import annotations

import dataclasses
import logging
from typing import Any

from sqlalchemy.engine import Connection

from compute import context as ctx
from compute import exception
from compute.clients import ports
from compute.conductor.conductor import Conductor
from compute.conductor.ending import end_failed
from compute.db import claims, instances, operations, quotas, services
from compute.objects.instance import Instance
from compute.objects.operation import DONE, Operation, OperationError, StageBegan, Work
from compute.objects.value import now
from compute.rpc import worker as worker_rpc
from compute.rpc.conductor import Delete

LOG = logging.getLogger(__name__)
RETRY_IN = 5.0


class DeleteEndpoint(Delete):
    """Takes ``delete`` operations on."""

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor

    def delete(self, context: ctx.RequestContext, *, operation_id: int) -> None:
        self._conductor.submit(remove, context, operation_id)


def remove(conductor: Conductor, context: ctx.RequestContext, operation_id: int) -> None:
    """Lease a ``delete`` and let the server's host do it, or do here what can be done without the host."""
    given: list[bool] = []

    def decide(connection: Connection, work: Work) -> None:
        host = work.instance.host
        given[:] = [host is not None and _is_up(conductor, connection, host) and operations.hand_over(
            connection, operation_id, host, conductor.conf.conductor.begin_timeout)]
    work = conductor.lease(operation_id, decide)
    if work is None:
        return
    if given[0]:
        operation = dataclasses.replace(work.operation, host=work.instance.host, owner=None, incarnation=None)
        conductor.send(context, Work(operation=operation, instance=work.instance), send)
        return
    try:
        with conductor.stage(context, work.operation, 'releasing'):
            _without_host(conductor, work)
    except exception.Stale:
        raise  # another conductor's
    except exception.ComputeError as error:
        LOG.warning('delete of %s is tried again: %s', work.instance.uuid, error.message)
        conductor.release(work.operation, retry_in=RETRY_IN)


def host_is_up(conductor: Conductor, host: str) -> bool:
    """Tell whether a host's worker sent a heartbeat lately, or may have sent one that nobody heard."""
    return conductor.db.read(lambda connection: _is_up(conductor, connection, host))


def _is_up(conductor: Conductor, connection: Connection, host: str) -> bool:
    service = services.find(connection, host, 'nova-compute')
    if service is None or service.forced_down:
        return False
    return service.is_up(now(), conductor.conf.conductor.service_down_time) or not conductor.hearing.can_judge()


def send(conductor: Any, context: ctx.RequestContext, work: Work) -> None:
    """Tell the host."""
    conductor.rpc.client(worker_rpc.Delete, work.operation.host).delete(context, work=work)


def _without_host(conductor: Conductor, work: Work) -> None:
    """Release the ports, then the rows. A guest on a host that is down is removed when the host comes back."""
    conductor.db.transaction(lambda connection: conductor.begin_stage(connection, work.operation, 'releasing'))

    def sure() -> None:
        conductor.db.transaction(lambda connection: _check_held(conductor, connection, work.operation))
    ports.release(conductor.cloud.networks, work.instance, keep=ports.brought(work.instance, work.operation.args),
                  sure=sure)

    def write(connection: Connection) -> None:
        _check_held(conductor, connection, work.operation)
        release(connection, work.operation, work.instance)
    conductor.db.transaction(write)


def _check_held(conductor: Conductor, connection: Connection, operation: Operation) -> None:
    """Return while an operation is this conductor's. :raises Stale: another one goes on with it."""
    if not conductor.holds(connection, operation.id):
        raise exception.Stale(f'operation {operation.id} is no longer ours: another conductor goes on with it')


def release(connection: Connection, operation: Operation, instance: Instance,
            stages: tuple[StageBegan, ...] = ()) -> None:
    """End a ``delete``: claim, seat, quota and the server itself go in this transaction."""
    if not operations.end(connection, operation, DONE, stages=stages):
        raise exception.Stale(f'operation {operation.id} ended before')
    forget(connection, instance)


def forget(connection: Connection, instance: Instance) -> None:
    """Free all that a server holds and mark it deleted; done once, however often it is asked for.

    The row is marked first, which locks it: a scheduler that claims at this moment is waited for, and a later one finds
    no server.
    """
    marked = instances.mark_deleted(connection, instance.uuid)
    claims.release(connection, instance.uuid)
    if marked:
        quotas.refund(connection, instance.project_id, instances=1, cores=instance.flavor.vcpus,
                      ram=instance.flavor.memory_mb)


def failed(conductor: Conductor, context: ctx.RequestContext, work: Work, error: OperationError) -> None:
    """A host could not remove it: try again later, as long as the deadline is not past."""
    operation = work.operation
    if conductor.is_past_deadline(operation):
        end_failed(conductor, work, error)
        return

    def later(connection: Connection) -> None:
        if not conductor.holds(connection, operation.id):
            return
        operations.end_events(connection, operation.id, 'Error', error.message)
        operations.set_values(connection, operation.id, attempt=operation.attempt + 1)
    conductor.db.transaction(later)
    conductor.release(operation, retry_in=RETRY_IN)


def resend(conductor: Conductor, context: ctx.RequestContext, work: Work) -> None:
    """Go on with one whose owner is gone: decide again who does it."""
    remove(conductor, context, work.operation.id)
