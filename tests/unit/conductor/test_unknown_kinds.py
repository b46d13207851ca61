"""Operations of a kind that this release does not know: a newer API opened them, and a newer conductor does them."""

from __future__ import annotations

import logging

import pytest

from compute import exception
from compute.conductor.delete import forget
from compute.conductor.operations import OperationsEndpoint
from compute.control import operation as control
from compute.db import instances, operations
from compute.objects.kinds.start import START
from compute.objects.operation import CANCELLED, DONE, QUEUED, RUNNING, InstanceUpdate, Operation, OperationError
from tests.unit.conductor.making import LONG_AGO, USER, Controller
from tests.unit.conductor.test_create import place

KIND = 'of_a_later_release'
ERROR = OperationError(message='no', stage='later')


def opened(controller: Controller) -> Operation:
    """Open an operation of the unknown kind on a server that runs, as a newer API does."""
    made = controller.create()
    place(controller, made.id)
    host = controller.operation(made.id).host or ''
    controller.begin(made.id, host)
    controller.finish(made.id, host)

    def write(connection: operations.Connection) -> Operation:
        server = instances.get(connection, made.instance_uuid)
        new = control.new(USER, server, START, host=host, begin_within=15)
        found = operations.insert(connection, Operation(**{**vars(new), 'kind': KIND, 'args': {'password': 'x'}}))
        instances.update(connection, server.uuid, task_state='later', operation_id=found.id)
        return found
    return controller.db.transaction(write)


@pytest.mark.parametrize('count', [1, 3])
def test_a_conductor_that_is_to_begin_them_leaves_them(controller: Controller, caplog: pytest.LogCaptureFixture,
                                                       count: int) -> None:
    made = [opened(controller) for _ in range(count)]
    sent = len(controller.rpc.sent)
    caplog.set_level(logging.WARNING)
    endpoint = OperationsEndpoint(controller.conductor)
    endpoint.begin(USER, kind=KIND, operation_ids=tuple(each.id for each in made))
    assert KIND in caplog.text and 'wait for the reaper' in caplog.text
    assert [controller.operation(each.id) for each in made] == made and len(controller.rpc.sent) == sent
    known = controller.create()
    endpoint.begin(USER, kind='create', operation_ids=(known.id,))
    assert controller.operation(known.id).host is not None, 'others are begun'


def test_what_begins_at_a_host_is_refused_at_a_conductor(controller: Controller) -> None:
    with pytest.raises(exception.Invalid) as caught:
        OperationsEndpoint(controller.conductor).begin(USER, kind='start', operation_ids=(1, 2))
    assert caught.value.code == 'wrong_place' and '(1, 2)' in caught.value.message


@pytest.mark.parametrize('trouble', ['nobody began it', 'past its deadline', 'host down'])
def test_the_reaper_leaves_them_and_takes_up_the_others(controller: Controller, caplog: pytest.LogCaptureFixture,
                                                        trouble: str) -> None:
    first, known = opened(controller), controller.create()
    last = opened(controller)
    for each in (first, known, last):
        controller.overdue(each.id)
    if trouble == 'past its deadline':
        controller.overdue(first.id, deadline_at=LONG_AGO)
    if trouble == 'host down':
        controller.down(first.host or '')
    before = [controller.operation(each.id) for each in (first, last)]
    told = len(controller.builds())
    caplog.set_level(logging.WARNING)
    assert controller.reaper.sweep() == 3
    assert len(controller.builds()) == told + 1 and controller.operation(known.id).host is not None
    assert [controller.operation(each.id) for each in (first, last)] == before
    said = [record.getMessage() for record in caplog.records if KIND in record.getMessage()]
    assert [f'operation {each.id} could not be taken up' in line for each, line in zip(before, said, strict=True)] == [
        True, True]
    assert not [record for record in caplog.records if record.exc_info], 'that is no surprise'


def test_the_reaper_ends_them_with_their_server(controller: Controller) -> None:
    made = opened(controller)
    controller.db.transaction(lambda connection: forget(connection, instances.get(connection, made.instance_uuid)))
    controller.overdue(made.id)
    controller.reaper.sweep()
    found = controller.operation(made.id)
    assert (found.state, found.args) == (CANCELLED, {}), 'which of its arguments are secret is not known'


def test_a_delete_cancels_them(controller: Controller) -> None:
    made = opened(controller)
    delete = controller.delete(made.instance_uuid)
    found = controller.operation(made.id)
    assert (found.state, found.args, controller.operation(delete.id).state) == (CANCELLED, {}, QUEUED)


def test_reports_of_a_newer_worker_are_for_a_newer_conductor(controller: Controller) -> None:
    """The worker repeats what is answered with ``Unavailable``, until a conductor hears it that knows the kind."""
    made, who = opened(controller), controller.who('b')

    def refused(method: str, **more: object) -> None:
        with pytest.raises(exception.Unavailable) as caught:
            getattr(controller.reports, method)(USER, operation_id=made.id, **more, **who)
        assert caught.value.code == 'kind_unknown' and KIND in caught.value.message
    work = controller.begin(made.id, 'b')
    assert (work.noted, work.operation.leg) == (None, 0), 'which stage begins is not known here'
    refused('progress', stage='later')
    refused('finish', leg=0, update=InstanceUpdate(vm_state='stopped'))
    found = controller.operation(made.id)
    assert (found.state, found.owner, found.stage) == (RUNNING, 'nova-compute@b', '')
    assert controller.instance(made.instance_uuid).vm_state == 'active'


def test_a_failure_of_one_stays_with_the_ledger(controller: Controller) -> None:
    made, who = opened(controller), controller.who('b')
    controller.begin(made.id, 'b')
    with pytest.raises(exception.Unavailable):
        controller.reports.fail(USER, operation_id=made.id, error=ERROR, **who)
    with pytest.raises(exception.Stale):  # what the worker gets when it repeats it: its part is over
        controller.reports.fail(USER, operation_id=made.id, error=ERROR, **who)
    controller.overdue(made.id)
    controller.reaper.sweep()
    assert controller.operation(made.id).state == RUNNING, 'it waits for a newer conductor'


def test_a_host_that_does_not_know_a_kind_makes_way_for_the_next(controller: Controller) -> None:
    operation = controller.create()
    place(controller, operation.id)
    controller.begin(operation.id, 'b')
    controller.reports.fail(USER, operation_id=operation.id, error=OperationError(
        code='kind_unknown', message='This host does not know it', retryable=True), **controller.who('b'))
    assert controller.builds() == ['b', 'a'] and controller.claimed(operation.instance_uuid) == ['a']
    controller.begin(operation.id, 'a')
    controller.finish(operation.id, 'a')
    assert controller.operation(operation.id).state == DONE
