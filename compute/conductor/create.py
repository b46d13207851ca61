"""A new server's way to a host: choose and claim, hand over; after a failure free the claim and try the next.

Every step may be done again: a claim that an earlier attempt took is found and used.
"""

from __future__ import annotations

import dataclasses
import logging

from sqlalchemy.engine import Connection

from compute import context as ctx
from compute import exception
from compute.conductor import placing
from compute.conductor.conductor import Conductor
from compute.conductor.ending import end_failed, error_of, fail
from compute.conductor.handler import ConductorHandler
from compute.db import claims, hosts, instances, operations, server_groups
from compute.objects.instance import Instance
from compute.objects.kinds.create import CREATE, CreatePlan
from compute.objects.operation import InstanceUpdate, Operation, OperationError, StageBegan, Work
from compute.objects.request_spec import RequestSpec, Selection
from compute.objects.value import decode, encode
from compute.rpc.scheduler import Select

LOG = logging.getLogger(__name__)
_ON_HOST = 1
"""The leg of a creation that runs on the chosen host."""


class ConductorCreate(ConductorHandler):
    """The ``create`` of a conductor."""

    def begin(self, conductor: Conductor, context: ctx.RequestContext, operation_ids: tuple[int, ...]) -> None:
        if len(operation_ids) > 1:
            conductor.submit_placing(operation_ids, place_together, context, operation_ids)
        else:
            _place_soon(conductor, context, operation_ids[0])

    def resume(self, conductor: Conductor, context: ctx.RequestContext, work: Work) -> None:
        """Notify its host again, or choose a host again."""
        if work.operation.host is not None:
            conductor.notify(context, work.operation)
        else:
            _place_soon(conductor, context, work.operation.id)

    def failed(self, conductor: Conductor, context: ctx.RequestContext, work: Work, error: OperationError) -> None:
        """Free the claim, then try the next alternate, then any other host, else end in ERROR."""
        failed(conductor, context, work, error)

    def finish(self, connection: Connection, operation: Operation, update: InstanceUpdate,
               stages: tuple[StageBegan, ...]) -> Operation | None:
        super().finish(connection, operation, update, stages)
        if operation.host:
            hosts.note_success(connection, operation.host)
        return None


def _place_soon(conductor: Conductor, context: ctx.RequestContext, operation_id: int) -> None:
    conductor.submit_placing((operation_id,), place, context, operation_id)


def place(conductor: Conductor, context: ctx.RequestContext, operation_id: int) -> None:
    """Lease a ``create``, find it a host and hand it over; end it in ERROR with the reason when none fits."""
    specs: list[RequestSpec] = []

    def begin(connection: Connection, work: Work) -> None:
        specs.clear()
        if work.instance.host is None:
            operations.begin_stage(connection, work.operation, 'scheduling', conductor.host)
            specs.append(spec_of(connection, work.instance, work.operation))
    work = conductor.lease(operation_id, begin)
    if work is not None:
        choose(conductor, context, work, specs[0] if specs else None)


def choose(conductor: Conductor, context: ctx.RequestContext, work: Work, spec: RequestSpec | None) -> None:
    """Find a leased ``create`` a host, unless it has one (no ``spec``), and go on as ``place`` says."""
    if spec is None:  # an earlier attempt claimed it and was cut off before the hand-over
        alternates = CREATE.plan_of(work.operation.plan).alternates
        hand_over(conductor, context, work.operation, work.instance.host or '', alternates)
        return
    try:
        selection = placing.select(conductor, context, work, spec)
    except exception.Stale:
        raise  # another conductor's
    except exception.ComputeError as error:
        end_failed(conductor, work, _final(work.operation, error))
        return
    if selection is not None:
        hand_over(conductor, context, work.operation, selection.host, selection.alternates)


def place_together(conductor: Conductor, context: ctx.RequestContext, numbers: tuple[int, ...]) -> None:
    """Do what ``place`` does for several servers of one request, with a few statements and one question for all.

    Those in a group are placed one by one, and so is who could not be placed with the others: that tells why.
    """
    specs: dict[int, RequestSpec] = {}

    def begin(connection: Connection, works: list[Work]) -> None:
        specs.clear()
        alike = [work for work in works if work.instance.host is None and work.instance.server_group is None]
        operations.begin_stage_together(connection, [work.operation for work in alike], 'scheduling', conductor.host)
        specs.update((work.operation.id, spec_of(connection, work.instance, work.operation)) for work in alike)
    works = conductor.lease_together(numbers, begin)
    for number in numbers:
        if number not in specs:
            _place_soon(conductor, context, number)
    alike = [work for work in works if work.operation.id in specs]
    selections = _select_together(conductor, context, alike, specs)
    if selections is not None:
        _hand_over_together(conductor, context, [(work, selections[work.instance.uuid]) for work in alike
                                                 if work.instance.uuid in selections])
        for work in alike:
            if work.instance.uuid not in selections:
                number = work.operation.id
                conductor.submit_placing((number,), choose, context, work, specs[number])


def _select_together(conductor: Conductor, context: ctx.RequestContext, works: list[Work],
                     specs: dict[int, RequestSpec]) -> dict[str, Selection] | None:
    """Return selections by server; None when nobody answers: all of them wait then."""
    if not works:
        return {}
    try:
        with conductor.stage(context, works[0].operation, 'scheduling'):
            return conductor.rpc.client(Select).select_many(
                context, specs=tuple(specs[work.operation.id] for work in works))
    except exception.ComputeError as error:
        if not isinstance(error, exception.Unavailable) or error.code == 'rpc_version':
            return {}  # asked one by one, which an older scheduler understands, each gets its own answer
        LOG.warning('%d operations: scheduling waits: %s', len(works), error.message)
        for work in works:
            conductor.release(work.operation, retry_in=conductor.conf.conductor.reaper_interval)
        return None


def _final(operation: Operation, error: exception.ComputeError) -> OperationError:
    """Return why it is not tried again. What went wrong on the last host says more than that no other is left."""
    plan = CREATE.plan_of(operation.plan)
    last: OperationError | None = decode(OperationError | None, plan.last_error)
    if last is None or not isinstance(error, exception.NoValidHost):
        return error_of(error, 'scheduling')
    tried = ', '.join(plan.tried)
    return dataclasses.replace(last, message=f'{last.message} (tried on {tried}; then: {error.message})',
                               details={**last.details, **error.details})


def spec_of(connection: Connection, instance: Instance, operation: Operation) -> RequestSpec:
    """Return the request for the scheduler, with the current members of the server group and servers of hints."""
    args = CREATE.args_of(operation.args)
    group = (server_groups.for_scheduler(connection, instance.server_group, without=instance.uuid)
             if instance.server_group else None)
    return RequestSpec(
        instance_uuid=instance.uuid, operation_id=operation.id, project_id=instance.project_id,
        user_id=instance.user_id, flavor=instance.flavor, image=instance.image,
        availability_zone=args.zone, host=args.host, node=args.node,
        excluded=CREATE.plan_of(operation.plan).tried, hints=instance.scheduler_hints, group=group,
        same_hosts=placing.hosts_of_hint(connection, instance, 'same_host'),
        different_hosts=placing.hosts_of_hint(connection, instance, 'different_host'))


def hand_over(conductor: Conductor, context: ctx.RequestContext, operation: Operation, host: str,
              alternates: tuple[str, ...]) -> None:
    """Write that the operation is the host's now, and tell it. A lost message is sent again by the reaper."""
    def write(connection: Connection) -> Operation | None:
        held = conductor.held(connection, operation.id)
        if held is None:
            return None
        plan = encode(dataclasses.replace(CREATE.plan_of(held.plan), alternates=alternates))
        operations.hand_over(connection, operation.id, host, conductor.conf.conductor.begin_timeout, plan=plan,
                             leg=_ON_HOST)
        return dataclasses.replace(held, host=host, leg=_ON_HOST, plan=plan, owner=None, incarnation=None)
    given = conductor.db.transaction(write)
    if given is None:
        LOG.warning('operation %s is no longer ours: another conductor goes on with it, or it ended', operation.id)
        return
    conductor.notify(context, given)


def _hand_over_together(conductor: Conductor, context: ctx.RequestContext,
                        placed: list[tuple[Work, Selection]]) -> None:
    """Do what ``hand_over`` does for several."""
    chosen = {work.operation.id: (work, selection) for work, selection in placed}

    def write(connection: Connection) -> list[Operation]:
        given = []
        for held in operations.held_together(connection, list(chosen), conductor.owner, conductor.incarnation):
            selection = chosen[held.id][1]
            given.append(dataclasses.replace(
                held, host=selection.host, leg=_ON_HOST, owner=None, incarnation=None,
                plan=encode(dataclasses.replace(CREATE.plan_of(held.plan), alternates=selection.alternates))))
        if given:
            operations.hand_over_together(connection, given, conductor.conf.conductor.begin_timeout)
        return given
    given = conductor.db.transaction(write) if placed else []
    if len(given) < len(placed):
        LOG.warning('%d operations are no longer ours: another conductor goes on with them, or they ended',
                    len(placed) - len(given))
    for operation in given:
        conductor.notify(context, operation)


def failed(conductor: Conductor, context: ctx.RequestContext, work: Work, error: OperationError) -> None:
    """A host could not build it: free the claim, then the next alternate, then any other host, else ERROR."""
    operation = work.operation
    again = error.retryable and operation.attempt + 1 < conductor.conf.conductor.max_attempts

    def move(connection: Connection) -> tuple[bool, str | None]:
        if not conductor.holds(connection, operation.id):
            return False, None
        instances.update(connection, work.instance.uuid, host=None, node=None)  # locks it before its claims are read
        claims.release(connection, work.instance.uuid)
        if operation.host and error.retryable and error.code != 'host_down':  # otherwise it is not the host's fault
            hosts.bump_failed_builds(connection, operation.host)
        if not again:
            fail(connection, operation, work.instance, error)
            return False, None
        return True, _try_elsewhere(connection, work, error)
    goes_on, chosen = conductor.db.transaction(move)
    if chosen is not None:
        hand_over(conductor, context, operation, chosen, ())
    elif goes_on:
        _place_soon(conductor, context, operation.id)


def _try_elsewhere(connection: Connection, work: Work, error: OperationError) -> str | None:
    """Note that a host could not, and claim the next one of the alternates; None when none of them has room."""
    operation = work.operation
    operations.end_events(connection, operation.id, 'Error', error.message)
    plan = CREATE.plan_of(operation.plan)
    tried = (*plan.tried, *((operation.host,) if operation.host else ()))
    plan = CreatePlan(tried=tried, alternates=tuple(host for host in plan.alternates if host not in tried),
                      last_error=encode(error))
    operations.set_values(connection, operation.id, attempt=operation.attempt + 1, host=None, leg=0, stage='scheduling',
                          plan=encode(plan))
    return _next(connection, work.instance, operation, plan)


def _next(connection: Connection, instance: Instance, operation: Operation, plan: CreatePlan) -> str | None:
    """Claim the first alternate that still has room."""
    spec = spec_of(connection, instance, operation)
    for name in plan.alternates:
        host = hosts.find(connection, name)
        if host is not None and not host.service_disabled and claims.claim(connection, spec, host.id):
            return name
    return None
