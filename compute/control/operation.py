"""The frame of every verb: check, change state and open the ledger's row in one transaction, then send a hint.

When a verb is allowed, what it supersedes and who is notified is in its declaration. If the broker is down the row is
there all the same, and the reaper sends the hint again.
"""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable
from typing import Any

from sqlalchemy.engine import Connection

from compute import exception
from compute.context import RequestContext
from compute.control.cloud import Cloud
from compute.db import instances, operations, services
from compute.objects.instance import Instance
from compute.objects.kinds import Kind, kind_of
from compute.objects.kinds.kind import CONDUCTOR, NoArgs
from compute.objects.operation import CANCELLED, Operation, OperationError, Work
from compute.objects.value import encode, now
from compute.rpc import conductor, worker
from compute.rpc.transport import Rpc

LOG = logging.getLogger(__name__)
_SUPERSEDED = OperationError(code='superseded', message='The same was asked for again', status=409)


def check(kind: Kind[Any, Any], instance: Instance, context: RequestContext) -> None:
    """Return if a server's state allows an operation. :raises Conflict: names the attribute and its value."""
    guard, verb = kind.guard, kind.verb
    if guard.obeys_lock and instance.locked and not context.is_admin:
        raise exception.Conflict(f'Cannot {verb} server {instance.uuid}: it is locked', code='server_locked')
    if guard.vm_states is not None and instance.vm_state not in guard.vm_states:
        raise state_conflict(verb, instance, 'vm_state', instance.vm_state, guard.vm_states)
    if guard.task_states is not None and instance.task_state not in guard.task_states:
        raise state_conflict(verb, instance, 'task_state', instance.task_state, guard.task_states)
    if guard.needs_host and instance.host is None:
        raise exception.Conflict(f'Cannot {verb} server {instance.uuid}: it is on no host yet',
                                 code='server_not_on_host')
    if guard.needs_launch and guard.vm_states is not None and instance.launched_at is None:
        raise exception.Conflict(f'Cannot {verb} server {instance.uuid}: it was never launched',
                                 code='server_not_launched')


def state_conflict(verb: str, instance: Instance, attribute: str, value: str | None,
                   allowed: tuple[str | None, ...]) -> exception.Conflict:
    """Return the refusal that names the state in the way and the allowed ones."""
    wanted = ', '.join(str(state or 'none') for state in allowed)
    return exception.Conflict(f"Cannot '{verb}' instance {instance.uuid} while it is in {attribute} {value} "
                              f'(allowed: {wanted})', code='wrong_state')


Opened = Callable[[Connection, Operation, Instance], None]


def run(cloud: Cloud, context: RequestContext, instance: Instance, kind: Kind[Any, Any],
        args: Callable[[Connection, Instance], Any] = lambda connection, current: None,
        opened: Opened = lambda connection, operation, current: None) -> Operation:
    """Open an operation on a server and send its hint.

    :param args: returns the arguments, a value of ``kind.args``, for the server as it is in the transaction.
    :param opened: writes more in the same transaction, while the row of the server is locked.
    :raises Conflict: the state does not allow it. :raises NotFound: the server is gone.
    """
    def start(connection: Connection) -> Work:
        current = instances.get(connection, instance.uuid)
        check(kind, current, context)
        if kind.guard.needs_host_up:
            _check_host_up(cloud, connection, kind, current)
        for running in _superseded(connection, kind, current.uuid):
            operations.end(connection, running, CANCELLED, _SUPERSEDED)
        operation = operations.insert(connection, new(context, current, kind, args(connection, current),
                                                      host=None if kind.begins == CONDUCTOR else current.host,
                                                      begin_within=cloud.conf.conductor.begin_timeout))
        swapped = instances.swap(connection, current.uuid, vm_states=kind.guard.vm_states,
                                 task_states=kind.guard.task_states, task_state=kind.first.shows,
                                 operation_id=operation.id)
        # The swap waited for the lock of the server's row: what another request began meanwhile is seen now, and wins.
        if not swapped or any(each.id != operation.id for each in _superseded(connection, kind, current.uuid)):
            raise exception.Conflict(f'Cannot {kind.verb} server {current.uuid}: another operation was faster',
                                     code='wrong_state')
        opened(connection, operation, current)
        return Work(operation=operation, instance=current)
    work = cloud.db.transaction(start)
    hint(cloud, context, [work])
    return work.operation


def _check_host_up(cloud: Cloud, connection: Connection, kind: Kind[Any, Any], instance: Instance) -> None:
    """Return if the host of a server has a heartbeat. :raises Conflict: it has none."""
    service = services.find(connection, instance.host or '', 'nova-compute')
    if service is None or service.forced_down or not service.is_up(now(), cloud.conf.conductor.service_down_time):
        raise exception.Conflict(f'Cannot {kind.verb} server {instance.uuid}: its host is down', code='host_down',
                                 hint='see GET /os-services for its state')


def _superseded(connection: Connection, kind: Kind[Any, Any], uuid: str) -> list[Operation]:
    """Return the open operations on a server that one of this kind cancels."""
    if not kind.supersedes:
        return []
    return [each for each in operations.open_of_instance(connection, uuid) if kind.cancels(each.kind)]


def new(context: RequestContext, instance: Instance, kind: Kind[Any, Any], args: Any = None, *, host: str | None,
        begin_within: float) -> Operation:
    """Return a queued operation: whoever is notified has ``begin_within`` seconds before the reaper looks."""
    time = now()
    return Operation(request_id=context.request_id, kind=kind.name, instance_uuid=instance.uuid,
                     project_id=instance.project_id, user_id=context.user_id or '', args=encode(args or NoArgs()),
                     host=host, lease_until=time + datetime.timedelta(seconds=begin_within),
                     deadline_at=time + datetime.timedelta(seconds=kind.deadline))


def at_once(context: RequestContext, instance: Instance, verb: str) -> Operation:
    """Return the ledger's row of a verb that is done with the transaction that writes it."""
    return Operation(request_id=context.request_id, kind=verb, instance_uuid=instance.uuid, deadline_at=now(),
                     project_id=instance.project_id, user_id=context.user_id or '')


def hint(cloud: Cloud, context: RequestContext, works: list[Work]) -> None:
    """Send the cast of operations of one kind that are in the ledger. A broker that is down delays them and no more."""
    first = works[0].operation
    try:
        if kind_of(first.kind).begins == CONDUCTOR:
            cloud.rpc.client(conductor.Operations).begin(
                context, kind=first.kind, operation_ids=tuple(work.operation.id for work in works))
        else:
            for work in works:
                notify_host(cloud.rpc, context, work.operation)
    except exception.Unavailable as error:
        LOG.warning('operation %s (%s of %s) waits for the reaper: %s', first.id, first.kind, first.instance_uuid,
                    error.message)


def notify_host(rpc: Rpc, context: RequestContext, operation: Operation) -> None:
    """Send the hint of an operation to its host. :raises Unavailable: the broker does not answer."""
    rpc.client(worker.Operations, operation.host).begin(
        context, operation_id=operation.id, kind=operation.kind, instance_uuid=operation.instance_uuid)
