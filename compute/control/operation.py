"""The frame of every verb: check, change state and open the ledger's row in one transaction, then send a hint.

A verb gives its ``Guard`` (when it is allowed) and a ``send`` (whom the hint goes to). If the broker is down the row is
there all the same, and the reaper sends again.
"""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Connection

from compute import exception
from compute.context import RequestContext
from compute.control.cloud import Cloud
from compute.db import instances, operations
from compute.objects.instance import Instance
from compute.objects.kinds import Kind
from compute.objects.operation import CANCELLED, Operation, OperationError, Work
from compute.objects.value import now

LOG = logging.getLogger(__name__)
Send = Callable[[Cloud, RequestContext, Work], None]
ANY = None
_SUPERSEDED = OperationError(code='superseded', message='The same was asked for again', status=409)


@dataclass(frozen=True)
class Guard:
    """When a verb is allowed: None means any state. ``task_states`` hold None for a server that is idle.

    A verb that looks at vm_state wants a server that ran once, unless ``needs_launch`` is False.
    """

    vm_states: tuple[str, ...] | None = ANY
    task_states: tuple[str | None, ...] | None = (None,)
    needs_host: bool = True
    needs_launch: bool = True
    obeys_lock: bool = True

    def check(self, verb: str, instance: Instance, context: RequestContext) -> None:
        """Return if the server's state allows the verb. :raises Conflict: names attribute and value."""
        if self.obeys_lock and instance.locked and not context.is_admin:
            raise exception.Conflict(f'Cannot {verb} server {instance.uuid}: it is locked', code='server_locked')
        if self.vm_states is not None and instance.vm_state not in self.vm_states:
            raise state_conflict(verb, instance, 'vm_state', instance.vm_state, self.vm_states)
        if self.task_states is not None and instance.task_state not in self.task_states:
            raise state_conflict(verb, instance, 'task_state', instance.task_state, self.task_states)
        if self.needs_host and instance.host is None:
            raise exception.Conflict(f'Cannot {verb} server {instance.uuid}: it is on no host yet',
                                     code='server_not_on_host')
        if self.needs_launch and self.vm_states is not None and instance.launched_at is None:
            raise exception.Conflict(f'Cannot {verb} server {instance.uuid}: it was never launched',
                                     code='server_not_launched')


def state_conflict(verb: str, instance: Instance, attribute: str, value: str | None,
                   allowed: tuple[str | None, ...]) -> exception.Conflict:
    """Return the refusal that names what is in the way and what would do."""
    wanted = ', '.join(str(state or 'none') for state in allowed)
    return exception.Conflict(f"Cannot '{verb}' instance {instance.uuid} while it is in {attribute} {value} "
                              f'(allowed: {wanted})', code='wrong_state')


def run(cloud: Cloud, context: RequestContext, instance: Instance, kind: Kind, guard: Guard, send: Send, *,
        verb: str | None = None, args: dict[str, Any] | None = None, first: str | None = None,
        supersedes: bool = False) -> Operation:
    """Open an operation on a server and send its hint. :raises Conflict: the state does not allow it.

    :param first: the stage it begins with, where it is not the kind's first.
    :param supersedes: what of the same kind still goes on with the server ends as cancelled, in the same transaction.
    """
    stage = kind.stage(first) if first else kind.first

    def start(connection: Connection) -> Work:
        current = instances.get(connection, instance.uuid)
        guard.check(verb or kind.name, current, context)
        for running in operations.open_of_instance(connection, current.uuid, (kind.name,)) if supersedes else ():
            operations.end(connection, running, CANCELLED, _SUPERSEDED)
        operation = operations.insert(connection, new(context, current, kind, args or {}, host=current.host,
                                                      begin_within=cloud.conf.conductor.begin_timeout))
        if not instances.swap(connection, current.uuid, vm_states=guard.vm_states, task_states=guard.task_states,
                              task_state=stage.task_state, operation_id=operation.id):
            raise exception.Conflict(f'Cannot {kind.name} server {current.uuid}: another operation was faster',
                                     code='wrong_state')
        # The swap waited for whoever held the server's row: what that one began is seen now, and goes first.
        if supersedes and any(each.id != operation.id for each in operations.open_of_instance(
                connection, current.uuid, (kind.name,))):
            raise exception.Conflict(f'Cannot {kind.name} server {current.uuid}: another operation was faster',
                                     code='wrong_state')
        return Work(operation=operation, instance=current)
    work = cloud.db.transaction(start)
    hint(cloud, context, work, send)
    return work.operation


def new(context: RequestContext, instance: Instance, kind: Kind, args: dict[str, Any], *, host: str | None,
        begin_within: float) -> Operation:
    """Return a queued operation: whoever gets it has ``begin_within`` seconds before the reaper looks."""
    time = now()
    return Operation(request_id=context.request_id, kind=kind.name, instance_uuid=instance.uuid,
                     project_id=instance.project_id, user_id=context.user_id or '', args=args, host=host,
                     lease_until=time + datetime.timedelta(seconds=begin_within),
                     deadline_at=time + datetime.timedelta(seconds=kind.deadline))


def at_once(context: RequestContext, instance: Instance, verb: str) -> Operation:
    """Return the ledger's row of a verb that is done with the transaction that writes it."""
    return Operation(request_id=context.request_id, kind=verb, instance_uuid=instance.uuid, deadline_at=now(),
                     project_id=instance.project_id, user_id=context.user_id or '')


def hint(cloud: Cloud, context: RequestContext, work: Work, send: Send) -> None:
    """Send the cast of an operation that is in the ledger. A broker that is down delays it and no more."""
    try:
        send(cloud, context, work)
    except exception.Unavailable as error:
        LOG.warning('operation %s (%s of %s) waits for the reaper: %s', work.operation.id, work.operation.kind,
                    work.instance.uuid, error.message)
