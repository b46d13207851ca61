"""A build that failed on a host: each outcome is one transaction, only its owner writes it, and the reason is kept."""

from __future__ import annotations

import pytest

from compute.conductor import create
from compute.db import claims_audit, operations
from compute.objects.operation import Operation, OperationError, Work
from tests.unit.conductor.making import USER, Controller

FULL = OperationError(code='disk_full', message='The disk of this host is full', retryable=True, stage='spawning')


def begun(controller: Controller) -> Operation:
    """Return a build that its host has begun."""
    operation = controller.create()
    controller.conductor.submit(create.place, USER, operation.id)
    host = controller.operation(operation.id).host
    assert host is not None
    controller.begin(operation.id, host)
    return controller.operation(operation.id)


def fail(controller: Controller, operation: Operation) -> Operation:
    controller.reports.fail(USER, operation_id=operation.id, error=FULL, **controller.who(operation.host or ''))
    assert controller.db.read(claims_audit.audit) == []
    return controller.operation(operation.id)


def test_where_no_host_is_left_the_last_ones_reason_is_shown(controller: Controller) -> None:
    operation = begun(controller)
    second = fail(controller, operation)
    assert second.state == 'running' and second.host not in (None, operation.host)
    controller.begin(second.id, second.host or '')
    last = fail(controller, second)
    assert last.state == 'failed' and last.error is not None and last.error.code == 'disk_full'
    assert last.error.message.startswith('The disk of this host is full (tried on ')
    assert 'was tried already' in last.error.message or 'were tried already' in last.error.message
    assert controller.instance(operation.instance_uuid).host is None


def test_a_conductor_that_lost_its_lease_changes_nothing(controller: Controller) -> None:
    operation = begun(controller)
    work = Work(operation=operation, instance=controller.instance(operation.instance_uuid))
    told = len(controller.builds())
    create.failed(controller.conductor, USER, work, FULL)
    create.hand_over(controller.conductor, USER, operation, 'a', ())
    controller.conductor.release(operation, 0)
    after = controller.operation(operation.id)
    assert (after.host, after.owner, after.attempt, after.lease_until) == (
        operation.host, operation.owner, 0, operation.lease_until)
    assert controller.instance(operation.instance_uuid).host == operation.host
    assert len(controller.builds()) == told


@pytest.mark.parametrize(('deaf', 'state'), [(True, 'running'), (False, 'failed')])
def test_silent_hosts_after_an_outage_are_waited_for(controller: Controller, deaf: bool, state: str) -> None:
    operation = controller.create()
    for name in ('a', 'b'):
        controller.down(name)
    controller.hears = not deaf
    controller.conductor.submit(create.place, USER, operation.id)
    after = controller.operation(operation.id)
    assert after.state == state
    if deaf:
        assert after.owner is None and after.id in [each.id for each in controller.db.read(
            lambda connection: operations.open_of_instance(connection, operation.instance_uuid))]
