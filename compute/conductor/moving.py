"""What resizes and cold migrations share at the conductor: a destination, and the books when they end."""

from __future__ import annotations

import dataclasses
from typing import Any

from sqlalchemy.engine import Connection

from compute import context as ctx
from compute import exception, states
from compute.conductor import ending, placing
from compute.conductor.conductor import Conductor
from compute.conductor.handler import ConductorHandler
from compute.db import claims, instances, migrations, operations, quotas, server_groups
from compute.objects import migration
from compute.objects.instance import Instance
from compute.objects.kinds import Kind, kind_of
from compute.objects.kinds.moving import MoveArgs, MovePlan
from compute.objects.operation import InstanceUpdate, Operation, StageBegan, Work
from compute.objects.request_spec import INCOMING, RequestSpec
from compute.objects.value import encode


class ConductorMove(ConductorHandler):
    """The handler of a kind that moves a server.

    :param may_stay: whether the server may stay on its host.
    """

    def __init__(self, *, may_stay: bool) -> None:
        self._may_stay = may_stay

    def begin(self, conductor: Conductor, context: ctx.RequestContext, operation_ids: tuple[int, ...]) -> None:
        for number in operation_ids:
            conductor.submit_placing((number,), self._place, context, number)

    def resume(self, conductor: Conductor, context: ctx.RequestContext, work: Work) -> None:
        """Notify the host of its leg again, or choose a destination again."""
        if work.operation.host is not None:
            conductor.notify(context, work.operation)
        else:
            conductor.submit_placing((work.operation.id,), self._place, context, work.operation.id)

    def _place(self, conductor: Conductor, context: ctx.RequestContext, operation_id: int) -> None:
        """Lease an operation, choose and claim a destination, and hand the first leg to the source."""
        specs: list[RequestSpec] = []
        claimed: list[str] = []

        def begin(connection: Connection, work: Work) -> None:
            _check_new(work.operation)
            kind = kind_of(work.operation.kind)
            operations.begin_stage(connection, work.operation, kind.first.name, conductor.host)
            may_stay = self._may_stay and conductor.conf.conductor.allow_resize_to_same_host
            specs[:] = [_spec(connection, kind, work.instance, work.operation, may_stay)]
            claimed[:] = claims.hosts_of(connection, work.instance.uuid, INCOMING)
        work = conductor.lease(operation_id, begin)
        if work is None:
            return
        stage = kind_of(work.operation.kind).first.name
        work = dataclasses.replace(work, operation=dataclasses.replace(work.operation, stage=stage))
        host = claimed[0] if claimed else self._select(conductor, context, work, specs[0])
        if host is not None:
            _hand_over(conductor, context, work, host)

    def _select(self, conductor: Conductor, context: ctx.RequestContext, work: Work, spec: RequestSpec) -> str | None:
        """Return a host that was claimed; None if that waits, or the operation failed."""
        try:
            selection = placing.select(conductor, context, work, spec)
        except exception.Stale:
            raise  # another conductor's
        except exception.ComputeError as error:
            self.failed(conductor, context, work, ending.error_of(error, work.operation.stage))
            return None
        return selection.host if selection is not None else None

    def advanced(self, connection: Connection, operation: Operation, instance: Instance,
                 update: InstanceUpdate) -> None:
        """The source is done: the destination goes on."""
        super().advanced(connection, operation, instance, update)
        migrations.set_status(connection, operation.id, migration.POST_MIGRATING)

    def finish(self, connection: Connection, operation: Operation, update: InstanceUpdate,
               stages: tuple[StageBegan, ...]) -> Operation | None:
        """Settle the claims: the server is at its destination, has its new flavor, and waits for confirmation."""
        args = _args(operation)
        claims.settle(connection, operation.instance_uuid, outgoing=True)
        instances.set_flavor(connection, operation.instance_uuid, args.flavor)
        migrations.set_status(connection, operation.id, migration.FINISHED)
        ending.finish(connection, operation, dataclasses.replace(update, vm_state=states.RESIZED), stages)
        return None

    def released(self, connection: Connection, operation: Operation, instance: Instance) -> None:
        """Release the claim of the destination and what a larger flavor was charged."""
        claims.release(connection, instance.uuid, INCOMING)
        quotas.recharge_server(connection, instance.project_id, instance.uuid, cores=instance.flavor.vcpus,
                               ram=instance.flavor.memory_mb)
        migrations.set_status(connection, operation.id, migration.ERROR)


def _hand_over(conductor: Conductor, context: ctx.RequestContext, work: Work, destination: str) -> None:
    """Give an operation whose destination is claimed to its source."""
    number, source = work.operation.id, work.instance.host

    def write(connection: Connection) -> Operation | None:
        held = conductor.held(connection, number)
        if held is None:
            return None
        migrations.set_status(connection, number, migration.MIGRATING)
        address = migrations.set_destination(connection, number, destination)
        plan = encode(MovePlan(source=source, destination=destination, destination_address=address))
        operations.hand_over(connection, number, source, conductor.conf.conductor.begin_timeout, leg=1, plan=plan)
        return dataclasses.replace(held, leg=1, host=source, plan=plan)
    given = conductor.db.transaction(write)
    if given is not None:
        conductor.notify(context, given)


def _check_new(operation: Operation) -> None:
    """Return if no host has an operation yet. :raises Stale: one has: the message that it begins came twice."""
    if operation.host is not None:
        raise exception.Stale(f'operation {operation.id} goes on at {operation.host}')


def _args(operation: Operation) -> MoveArgs:
    args: MoveArgs = kind_of(operation.kind).args_of(operation.args)
    return args


def _spec(connection: Connection, kind: Kind[Any, Any], instance: Instance, operation: Operation,
          may_stay: bool) -> RequestSpec:
    """Return the request for the scheduler: hints and group hold, where the server is now does not count."""
    args = _args(operation)
    group = (server_groups.for_scheduler(connection, instance.server_group, without=instance.uuid)
             if instance.server_group else None)
    return RequestSpec(
        instance_uuid=instance.uuid, operation_id=operation.id, project_id=instance.project_id,
        user_id=instance.user_id, flavor=args.flavor, image=instance.image,
        availability_zone=instance.pinned_availability_zone, host=args.host, hints=instance.scheduler_hints,
        group=group, same_hosts=placing.hosts_of_hint(connection, instance, 'same_host'),
        different_hosts=placing.hosts_of_hint(connection, instance, 'different_host'),
        purpose=INCOMING, leaves=None if may_stay else instance.host)


class ConductorSettled(ConductorHandler):
    """Base of the handlers of confirmation and reversal: the hosts are those of the migration."""

    def begin(self, conductor: Conductor, context: ctx.RequestContext, operation_ids: tuple[int, ...]) -> None:
        for number in operation_ids:
            conductor.submit(self._begin, context, number)

    def resume(self, conductor: Conductor, context: ctx.RequestContext, work: Work) -> None:
        """Notify the host of its leg again, or begin again."""
        if work.operation.host is not None:
            conductor.notify(context, work.operation)
        else:
            self._begin(conductor, context, work.operation.id)

    def _begin(self, conductor: Conductor, context: ctx.RequestContext, operation_id: int) -> None:
        """Lease an operation and hand its first leg over."""
        given: list[Operation] = []

        def write(connection: Connection, work: Work) -> None:
            _check_new(work.operation)
            moved = migrations.of_operation(connection, operation_id)
            if moved is None:
                raise exception.Stale(f'operation {operation_id} has no migration')
            plan = MovePlan(source=moved.source_host, destination=moved.dest_host)
            kind = kind_of(work.operation.kind)
            host = getattr(plan, kind.legs[0].place)
            given[:] = [dataclasses.replace(work.operation, host=host, leg=0, plan=encode(plan))]
            operations.hand_over(connection, operation_id, host, conductor.conf.conductor.begin_timeout,
                                 plan=encode(plan))
        work = conductor.lease(operation_id, write)
        if work is not None:
            conductor.notify(context, given[0])
