"""A server's end: at its host, or here when it has none or the host is down; then claim, quota and row are released.

A delete never gives up half-way: what fails is tried again until the deadline, and then the server shows why.
"""

from __future__ import annotations

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
from compute.objects.operation import DONE, Operation, OperationError, Work
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
    work = conductor.lease(operation_id)
    if work is None:
        return
    if work.instance.host is not None and host_is_up(conductor, work.instance.host):
        _hand_over(conductor, context, work)
        return
    try:
        _without_host(conductor, context, work)
    except exception.ComputeError as error:
        LOG.warning('delete of %s is tried again: %s', work.instance.uuid, error.message)
        conductor.release(work.operation, retry_in=RETRY_IN)


def host_is_up(conductor: Conductor, host: str) -> bool:
    """Tell whether a host's worker sent a heartbeat lately, or may have sent one that nobody heard."""
    service = conductor.db.read(lambda connection: services.find(connection, host, 'nova-compute'))
    if service is None or service.forced_down:
        return False
    return service.is_up(now(), conductor.conf.conductor.service_down_time) or not conductor.hearing.can_judge()


def _hand_over(conductor: Conductor, context: ctx.RequestContext, work: Work) -> None:
    def write(connection: Connection) -> Operation:
        operations.hand_over(connection, work.operation.id, work.instance.host or '',
                             conductor.conf.conductor.begin_timeout)
        return operations.get(connection, work.operation.id)
    operation = conductor.db.transaction(write)
    conductor.send(context, Work(operation=operation, instance=work.instance), send)


def send(conductor: Any, context: ctx.RequestContext, work: Work) -> None:
    """Tell the host."""
    conductor.rpc.client(worker_rpc.Delete, work.operation.host).delete(context, work=work)


def _without_host(conductor: Conductor, context: ctx.RequestContext, work: Work) -> None:
    """Release the ports, then the rows. A guest on a host that is down is removed when the host comes back."""
    conductor.db.transaction(lambda connection: operations.begin_stage(
        connection, work.operation, 'releasing', conductor.host))
    ports.release(conductor.cloud.networks, work.instance.uuid,
                  keep=ports.brought(work.instance, work.operation.args))
    conductor.db.transaction(lambda connection: release(connection, work.operation, work.instance))


def release(connection: Connection, operation: Operation, instance: Instance) -> None:
    """End a ``delete``: claim, seat, quota and the server itself go in this transaction."""
    if not operations.end(connection, operation, DONE):
        raise exception.Stale(f'operation {operation.id} ended before')
    forget(connection, instance)


def forget(connection: Connection, instance: Instance) -> None:
    """Free all that a server holds and mark it deleted; done once, however often it is asked for."""
    claims.release(connection, instance.uuid)
    if instances.mark_deleted(connection, instance.uuid):
        quotas.refund(connection, instance.project_id, instances=1, cores=instance.flavor.vcpus,
                      ram=instance.flavor.memory_mb)


def failed(conductor: Conductor, context: ctx.RequestContext, work: Work, error: OperationError) -> None:
    """A host could not remove it: try again later, as long as the deadline is not past."""
    operation = work.operation
    if operation.deadline_at is not None and now() > operation.deadline_at:
        end_failed(conductor, work, error)
        return

    def later(connection: Connection) -> None:
        operations.end_events(connection, operation.id, 'Error', error.message)
        operations.set_values(connection, operation.id, attempt=operation.attempt + 1)
    conductor.db.transaction(later)
    conductor.release(operation, retry_in=RETRY_IN)


def resend(conductor: Conductor, context: ctx.RequestContext, work: Work) -> None:
    """Go on with one whose owner is gone: decide again who does it."""
    remove(conductor, context, work.operation.id)
