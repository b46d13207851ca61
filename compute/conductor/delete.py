"""A server's end: at its host, or here when it has none or the host is down; then claim, quota and row are released.

A delete never gives up half-way: what fails is tried again until the deadline, and then the server shows why.
"""

from __future__ import annotations

import dataclasses
import logging

from sqlalchemy.engine import Connection

from compute import context as ctx
from compute import exception
from compute.clients import ports
from compute.conductor.conductor import Conductor
from compute.conductor.ending import end_failed
from compute.conductor.handler import ConductorHandler
from compute.db import claims, instances, migrations, operations, quotas, services
from compute.objects.instance import Instance
from compute.objects.kinds.delete import DELETE, DeletePlan
from compute.objects.operation import DONE, InstanceUpdate, Operation, OperationError, StageBegan, Work
from compute.objects.value import encode, now

LOG = logging.getLogger(__name__)
RETRY_IN = 5.0
_BEGIN_WITHIN = 15.0
"""Seconds in which the next host of a delete has to begin."""


class ConductorDelete(ConductorHandler):
    """The ``delete`` of a conductor."""

    def begin(self, conductor: Conductor, context: ctx.RequestContext, operation_ids: tuple[int, ...]) -> None:
        for number in operation_ids:
            conductor.submit(remove, context, number)

    def resume(self, conductor: Conductor, context: ctx.RequestContext, work: Work) -> None:
        """Decide again who does it."""
        remove(conductor, context, work.operation.id)

    def failed(self, conductor: Conductor, context: ctx.RequestContext, work: Work, error: OperationError) -> None:
        """Try again later, unless the deadline is past."""
        failed(conductor, context, work, error)

    def finish(self, connection: Connection, operation: Operation, update: InstanceUpdate,
               stages: tuple[StageBegan, ...]) -> Operation | None:
        """Go on at the next host that the server has a claim on; after the last one release all that it holds."""
        instance = instances.find(connection, operation.instance_uuid)
        if instance is None:
            raise exception.Stale(f'server {operation.instance_uuid} is gone')
        plan = DELETE.plan_of(operation.plan)
        if plan.hosts:
            rest = encode(DeletePlan(hosts=plan.hosts[1:]))
            operations.end_events(connection, operation.id, 'Success')
            operations.hand_over(connection, operation.id, plan.hosts[0], _BEGIN_WITHIN, plan=rest)
            return dataclasses.replace(operation, host=plan.hosts[0], plan=rest)
        release(connection, operation, instance, stages)
        return None


def remove(conductor: Conductor, context: ctx.RequestContext, operation_id: int) -> None:
    """Lease a ``delete`` and let the server's host do it, or do here what can be done without the host."""
    given: list[Operation] = []

    def decide(connection: Connection, work: Work) -> None:
        given.clear()
        up = [host for host in _hosts_of(connection, work.instance) if _is_up(conductor, connection, host)]
        if up:
            plan = encode(DeletePlan(hosts=tuple(up[1:])))
            operations.hand_over(connection, operation_id, up[0], conductor.conf.conductor.begin_timeout, plan=plan)
            given.append(dataclasses.replace(work.operation, host=up[0], plan=plan))
    work = conductor.lease(operation_id, decide)
    if work is None:
        return
    if given:
        conductor.notify(context, given[0])
        return
    try:
        with conductor.stage(context, work.operation, 'releasing'):
            _without_host(conductor, work)
    except exception.Stale:
        raise  # another conductor's
    except exception.ComputeError as error:
        LOG.warning('delete of %s is tried again: %s', work.instance.uuid, error.message)
        conductor.release(work.operation, retry_in=RETRY_IN)


def _hosts_of(connection: Connection, instance: Instance) -> list[str]:
    """Return the hosts on which something of a server may be: its own first, then those of a move."""
    return list(dict.fromkeys([*([instance.host] if instance.host else []),
                               *claims.hosts_of(connection, instance.uuid)]))


def host_is_up(conductor: Conductor, host: str) -> bool:
    """Tell whether a host's worker sent a heartbeat lately, or may have sent one that nobody heard."""
    return conductor.db.read(lambda connection: _is_up(conductor, connection, host))


def _is_up(conductor: Conductor, connection: Connection, host: str) -> bool:
    service = services.find(connection, host, 'nova-compute')
    if service is None or service.forced_down:
        return False
    return service.is_up(now(), conductor.conf.conductor.service_down_time) or not conductor.hearing.can_judge()


def _without_host(conductor: Conductor, work: Work) -> None:
    """Release the ports, then the rows. A guest on a host that is down is removed when the host comes back."""
    conductor.db.transaction(lambda connection: conductor.begin_stage(connection, work.operation, 'releasing'))
    asked = DELETE.args_of(work.operation.args).nics

    def sure() -> None:
        conductor.db.transaction(lambda connection: _check_held(conductor, connection, work.operation))
    ports.release(conductor.cloud.networks, work.instance, keep=ports.brought(work.instance, asked), sure=sure)

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
    migrations.close(connection, instance.uuid)
    if marked:
        quotas.refund(connection, instance.project_id, instances=1, **quotas.charge_of(connection, instance.uuid))


def failed(conductor: Conductor, context: ctx.RequestContext, work: Work, error: OperationError) -> None:
    """A host could not remove it: try again later, as long as the deadline is not past."""
    operation = work.operation
    if conductor.is_past_deadline(operation):
        end_failed(conductor, work, error)
        return

    def later(connection: Connection) -> None:
        if conductor.holds(connection, operation.id):
            operations.retry_later(connection, operation, RETRY_IN, error)
    conductor.db.transaction(later)
