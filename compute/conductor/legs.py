"""Operations that run at several places: one leg after the other, and after a failure their undo, last leg first.

A worker undoes its own leg before it reports a failure. Here the legs before it are undone, each by the host that ran
it; the undo of a leg is leased, fenced and repeated like any other work. Only then does the operation end as failed.
"""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

from sqlalchemy.engine import Connection

from compute import exception
from compute.db import operations
from compute.objects.instance import Instance
from compute.objects.kinds import Kind, kind_of
from compute.objects.kinds.kind import CONDUCTOR, DESTINATION, HOST
from compute.objects.operation import UNDOING, Operation, OperationError, StageBegan
from compute.objects.value import decode, encode, now

RETRY_IN = 5.0
WAIT_FOR_HOST = 30.0
"""Seconds until an operation is looked at again whose host has no heartbeat and may run the guest."""
UNDO_WITHIN = 600.0
"""Seconds that the undo of an operation has at least, also when its own deadline is past."""


def host_of(kind: Kind[Any, Any], place: str, plan: dict[str, Any], instance: Instance) -> str | None:
    """Return the host that is a place; None for the conductor.

    :raises Stale: the server has no host, or the plan does not name that one.
    """
    if place == CONDUCTOR:
        return None
    host: str | None = instance.host if place == HOST else getattr(kind.plan_of(plan), place)
    if host is None:
        raise exception.Stale(f'no host is the {place} of a {kind.name} of server {instance.uuid}')
    return host


def place_of(operation: Operation) -> str:
    """Return the place of the leg that runs, or is undone, now."""
    return kind_of(operation.kind).legs[operation.leg].place


def may_have_started(operation: Operation) -> bool:
    """Return whether the destination may have started the guest already: it was in a stage that is not idempotent."""
    leg = kind_of(operation.kind).legs[operation.leg]
    return leg.place == DESTINATION and any(
        stage.name == operation.stage and not stage.redo for stage in leg.stages)


def advance(connection: Connection, operation: Operation, instance: Instance, carry: dict[str, Any] | None,
            stages: tuple[StageBegan, ...], within: float) -> Operation:
    """Give an operation whose leg succeeded to the place of its next leg, and return it as it is then.

    :param carry: what the leg found. :param within: seconds in which the next place has to begin.
    :raises Stale: there is no such place.
    """
    kind = kind_of(operation.kind)
    plan = {**operation.plan, **encode(decode(kind.carry, carry or {}))}
    number = operation.leg + 1
    host = host_of(kind, kind.legs[number].place, plan, instance)
    if stages:
        operations.begin_stages(connection, operation, stages, operation.host or '')
    operations.end_events(connection, operation.id, 'Success')
    operations.hand_over(connection, operation.id, host, within, leg=number, plan=plan)
    return dataclasses.replace(operation, leg=number, plan=plan, host=host, owner=None, incarnation=None)


def last_to_undo(operation: Operation, error: OperationError) -> int:
    """Return the number of the last leg that may have to be undone after a failure of the leg that ran; -1 for none.

    A host that reports a failure has undone its own leg, unless it says that it could not. One that is cut off by the
    deadline has not, nor has a source without heartbeat: it has the guest. What a destination without heartbeat made is
    removed when it returns.
    """
    leg = kind_of(operation.kind).legs[operation.leg]
    begun = any(stage.name == operation.stage for stage in leg.stages)
    lost = error.code == 'host_down' and leg.place != DESTINATION
    left = begun and (lost or error.left_behind or error.code == 'deadline')
    return operation.leg if left else operation.leg - 1


def undo(connection: Connection, operation: Operation, instance: Instance, error: OperationError, last: int,
         within: float) -> Operation | None:
    """Let the last leg that was begun and has an undo be undone; return None where there is none (any more).

    :param last: the number of the last leg that may have to be undone.
    """
    kind = kind_of(operation.kind)
    number = next((each for each in range(last, -1, -1) if kind.legs[each].has_undo), None)
    if number is None:
        return None
    host = host_of(kind, kind.legs[number].place, operation.plan, instance)
    operations.end_events(connection, operation.id, 'Error', error.message)
    deadline = max(operation.deadline_at or now(), now() + datetime.timedelta(seconds=UNDO_WITHIN))
    operations.hand_over(connection, operation.id, host, within, leg=number, state=UNDOING, error=encode(error),
                         deadline_at=deadline)
    return dataclasses.replace(operation, leg=number, host=host, owner=None, incarnation=None, state=UNDOING,
                               error=error, deadline_at=deadline)
