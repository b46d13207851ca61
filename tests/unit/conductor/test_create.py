"""A server's way to a host, and what becomes of it when somebody on the way is gone."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from compute import exception
from compute.conductor import create, placing
from compute.conductor.operations import handler_of
from compute.conductor.reaper import Reaper
from compute.db import operations
from compute.objects.operation import (
    CANCELLED,
    DONE,
    FAILED,
    QUEUED,
    RUNNING,
    InstanceUpdate,
    OperationError,
    StageBegan,
)
from tests.unit.conductor.making import LONG_AGO, USER, AtOnce, Controller


def place(controller: Controller, number: int) -> None:
    controller.conductor.submit(create.place, USER, number)


def test_placed_and_built(controller: Controller) -> None:
    operation = controller.create()
    place(controller, operation.id)
    key = operation.instance_uuid
    instance, operation = controller.instance(key), controller.operation(operation.id)
    assert (instance.host, controller.claimed(key), controller.builds()) == ('b', ['b'], ['b'])
    assert (operation.host, operation.owner, operation.plan['alternates']) == ('b', None, ['a'])
    told = controller.rpc.begun('create')[-1]
    assert told.arguments == {'operation_id': operation.id, 'kind': 'create', 'instance_uuid': key}, 'and no more'
    work = controller.begin(operation.id, 'b')
    assert (work.instance.uuid, work.instance.host, work.operation.args['admin_pass']) == (key, 'b', 'x')
    assert (work.instance.task_state, controller.instance(key).task_state) == ('scheduling', 'networking')
    assert work.instance == dataclasses.replace(
        controller.instance(key), task_state='scheduling', updated_at=work.instance.updated_at)
    controller.reports.progress(USER, operation_id=operation.id, stage='spawning', **controller.who('b'))
    assert controller.instance(key).task_state == 'spawning'
    controller.finish(operation.id, 'b')
    instance, operation = controller.instance(key), controller.operation(operation.id)
    assert (instance.vm_state, instance.task_state, operation.state) == ('active', None, DONE)
    assert instance.launched_at is not None and 'admin_pass' not in operation.args
    controller.finish(operation.id, 'b')  # said twice, its answer was lost


def test_hints_of_servers_place_with_them_or_apart(controller: Controller) -> None:
    first = controller.create()
    place(controller, first.id)
    assert controller.instance(first.instance_uuid).host == 'b', 'where there is more room'
    for hint, value, host in (('same_host', [first.instance_uuid], 'b'), ('different_host', first.instance_uuid, 'a')):
        other = controller.create(hints={hint: value})
        place(controller, other.id)
        assert controller.instance(other.instance_uuid).host == host, hint


def test_a_hint_of_a_server_that_is_on_no_host_fits_nowhere(controller: Controller) -> None:
    first = controller.create()
    other = controller.create(hints={'same_host': first.instance_uuid})
    place(controller, other.id)
    fault = controller.instance(other.instance_uuid).fault
    assert fault is not None and '2 have none of the servers that same_host names' in fault.shown


def test_stages_are_written_with_the_lease_and_with_the_end(controller: Controller) -> None:
    operation = controller.create()
    place(controller, operation.id)
    who = controller.who('b')
    work = controller.reports.begin(USER, operation_id=operation.id, **who)
    assert (work.operation.stage, work.noted, work.operation.state) == ('scheduling', 'networking', RUNNING)
    assert controller.operation(operation.id).stage == 'networking'
    assert controller.instance(operation.instance_uuid).task_state == 'networking'
    untold = (StageBegan(name='block_device_mapping', ago=2.0), StageBegan(name='spawning', ago=0.5))
    for _ in range(2):  # said twice, its answer was lost
        controller.reports.finish(USER, operation_id=operation.id, leg=1, update=InstanceUpdate(vm_state='active'),
                                  stages=untold, **who)
    ended = controller.operation(operation.id)
    events = controller.db.read(lambda connection: operations.events_of(connection, operation.id))
    assert (ended.state, ended.stage) == (DONE, 'spawning')
    assert [(event.name, event.result) for event in events] == [
        (name, 'Success') for name in ('scheduling', 'networking', 'block_device_mapping', 'spawning')]
    assert [event.finished_at for event in events[1:]] == [*(event.started_at for event in events[2:]),
                                                           events[-1].finished_at]
    assert 1.4 < (events[3].started_at - events[2].started_at).total_seconds() < 1.6


def test_a_failure_closes_the_stages_that_it_tells(controller: Controller) -> None:
    controller.add_host('a')
    operation = controller.create()
    place(controller, operation.id)
    who = controller.who(controller.builds()[-1] or '')
    controller.reports.begin(USER, operation_id=operation.id, **who)
    controller.reports.fail(USER, operation_id=operation.id, error=OperationError(message='no', stage='spawning'),
                            stages=(StageBegan(name='spawning', ago=-5.0),), **who)
    events = controller.db.read(lambda connection: operations.events_of(connection, operation.id))
    assert [(event.name, event.result) for event in events] == [
        ('scheduling', 'Success'), ('networking', 'Success'), ('spawning', 'Error')]


def test_the_message_twice_places_once(controller: Controller) -> None:
    operation = controller.create()
    for _ in range(2):
        place(controller, operation.id)
    assert set(controller.builds()) == {'b'} and len(controller.rpc.of('select')) == 1
    told = len(controller.builds())
    controller.begin(operation.id, 'b')
    place(controller, operation.id)
    assert len(controller.builds()) == told


def test_leases_of_what_is_worked_on_are_renewed_and_of_nothing_else(controller: Controller) -> None:
    operation, select = controller.create(), controller.rpc.answers['select']
    seen: list[tuple[int, ...]] = []

    def look(spec: Any) -> Any:
        seen.append(controller.conductor.working())
        return select(spec)
    controller.rpc.answers['select'] = look
    place(controller, operation.id)
    assert seen == [(operation.id,)] and controller.conductor.working() == ()


def test_a_lost_cast_is_sent_again(controller: Controller) -> None:
    operation = controller.create()
    assert controller.reaper.sweep() == 0  # its time to begin is not over
    controller.overdue(operation.id)
    assert controller.reaper.sweep() == 1
    assert controller.builds() == ['b']


def test_what_a_thread_of_this_conductor_is_at_is_not_taken_up_again(controller: Controller) -> None:
    """It waits, for a lock of the database say: more threads would wait for the same, until none is left."""
    operation = controller.create()
    controller.overdue(operation.id)
    controller.conductor._working[operation.id] += 1
    controller.reaper.sweep()
    assert controller.builds() == []
    controller.conductor._rest((operation.id,))
    controller.reaper.sweep()
    assert controller.builds() == ['b']


def test_a_lost_hand_over_is_sent_again_to_the_same_host(controller: Controller) -> None:
    operation = controller.create()
    place(controller, operation.id)
    controller.overdue(operation.id)
    controller.reaper.sweep()
    assert controller.builds() == ['b', 'b'] and controller.claimed(operation.instance_uuid) == ['b']
    assert controller.reaper.sweep() == 0


def test_a_conductor_that_dies_between_claim_and_hand_over(controller: Controller) -> None:
    operation = controller.create()
    work = controller.conductor.lease(operation.id)
    assert work is not None
    spec = controller.db.read(lambda connection: create.spec_of(connection, work.instance, work.operation))
    selection = placing.select(controller.conductor, USER, work, spec)
    assert selection is not None and (selection.host, selection.alternates) == ('b', ('a',))
    assert controller.reaper.sweep() == 0  # it holds its lease
    controller.overdue(operation.id)
    controller.reaper.sweep()
    assert controller.builds() == ['b'] and controller.claimed(operation.instance_uuid) == ['b']


def test_a_conductor_whose_work_breaks_does_not_hold_it_for_ever(controller: Controller) -> None:
    operation = controller.create()
    controller.rpc.answers['select'] = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        place(controller, operation.id)
    assert controller.conductor.working() == ()
    controller.overdue(operation.id)
    with pytest.raises(ZeroDivisionError):
        controller.conductor.submit(handler_of('create').resume, USER, controller.conductor.lease(operation.id))
    assert controller.operation(operation.id).state == RUNNING
    assert controller.reaper.sweep() == 0


def test_a_host_that_goes_down_before_it_begins(controller: Controller) -> None:
    operation = controller.create()
    place(controller, operation.id)
    controller.down('b')
    controller.overdue(operation.id)
    controller.reaper.sweep()
    key = operation.instance_uuid
    assert controller.builds() == ['b', 'a'] and controller.claimed(key) == ['a']
    assert controller.instance(key).host == 'a'
    with pytest.raises(exception.Stale):
        controller.begin(operation.id, 'b')
    controller.begin(operation.id, 'a')
    controller.finish(operation.id, 'a')
    assert controller.instance(key).vm_state == 'active'


def test_nobody_is_given_up_while_nobody_can_be_heard(controller: Controller) -> None:
    operation = controller.create()
    place(controller, operation.id)
    controller.down('b')
    controller.hears = False
    controller.overdue(operation.id)
    controller.reaper.sweep()
    assert controller.builds() == ['b', 'b'] and controller.claimed(operation.instance_uuid) == ['b']


def test_a_host_that_fails_makes_way_for_the_next(controller: Controller) -> None:
    operation = controller.create()
    place(controller, operation.id)
    controller.begin(operation.id, 'b')
    controller.fail(operation.id, 'b')
    operation = controller.operation(operation.id)
    assert (operation.host, operation.attempt, operation.plan['tried']) == ('a', 1, ['b'])
    assert controller.claimed(operation.instance_uuid) == ['a'] and controller.builds() == ['b', 'a']
    with pytest.raises(exception.Stale):
        controller.fail(operation.id, 'b')


def test_without_alternates_any_other_host_is_asked_for(controller: Controller) -> None:
    controller.conf.set_override('max_attempts', 1, 'scheduler')
    operation = controller.create()
    place(controller, operation.id)
    assert controller.operation(operation.id).plan['alternates'] == []
    controller.begin(operation.id, 'b')
    controller.fail(operation.id, 'b')
    assert controller.builds() == ['b', 'a']


@pytest.mark.parametrize(('attempts', 'hosts'), [(1, ['b']), (2, ['b', 'a']), (3, ['b', 'a'])])
def test_when_no_attempt_remains(controller: Controller, attempts: int, hosts: list[str]) -> None:
    controller.conf.set_override('max_attempts', attempts, 'conductor')
    operation = controller.create()
    place(controller, operation.id)
    for host in hosts:
        controller.begin(operation.id, host)
        controller.fail(operation.id, host)
    instance = controller.instance(operation.instance_uuid)
    assert (instance.vm_state, instance.task_state, instance.host) == ('error', None, None)
    assert instance.fault is not None and 'The disk is full' in instance.fault.message
    assert controller.operation(operation.id).state == FAILED
    assert controller.builds() == hosts and controller.claimed(operation.instance_uuid) == []


def test_what_no_host_can_do_is_not_tried_elsewhere(controller: Controller) -> None:
    operation = controller.create()
    place(controller, operation.id)
    controller.begin(operation.id, 'b')
    controller.fail(operation.id, 'b', retryable=False)
    assert controller.instance(operation.instance_uuid).vm_state == 'error' and controller.builds() == ['b']


def test_no_host_has_room(controller: Controller) -> None:
    for name in ('a', 'b'):
        controller.register(name, 256)
    operation = controller.create()
    place(controller, operation.id)
    instance = controller.instance(operation.instance_uuid)
    assert instance.vm_state == 'error' and instance.fault is not None
    assert 'No valid host was found. 0 of 2 hosts fit: 2 lack RAM' in instance.fault.message
    assert instance.fault.code == 500 and instance.fault.reason == 'no_valid_host'


@pytest.mark.parametrize('error', [exception.Unavailable('no scheduler'), exception.RpcTimeout('no answer')])
def test_a_scheduler_that_does_not_answer(controller: Controller, error: Exception) -> None:
    operation, select = controller.create(), controller.rpc.answers['select']
    controller.rpc.answers['select'] = error
    place(controller, operation.id)
    assert controller.operation(operation.id).owner is None and controller.builds() == []
    controller.rpc.answers['select'] = select
    controller.overdue(operation.id)
    controller.reaper.sweep()
    assert controller.builds() == ['b']


def test_a_broker_that_is_down_at_the_hand_over(controller: Controller) -> None:
    operation = controller.create()
    take = controller.rpc.take

    def broken(interface: Any, server: str | None, *rest: Any) -> Any:
        if server is not None:
            raise exception.Unavailable('no broker')
        return take(interface, server, *rest)
    controller.rpc.take = broken  # type: ignore[method-assign]
    place(controller, operation.id)
    assert controller.claimed(operation.instance_uuid) == ['b'] and controller.builds() == []
    controller.rpc.take = take  # type: ignore[method-assign]
    controller.overdue(operation.id)
    controller.reaper.sweep()
    assert controller.builds() == ['b']


@pytest.mark.parametrize('begun', [False, True])
def test_past_its_deadline_it_ends_with_that_reason(controller: Controller, begun: bool) -> None:
    operation = controller.create()
    place(controller, operation.id)
    if begun:
        controller.begin(operation.id, 'b')
    controller.overdue(operation.id, deadline_at=LONG_AGO)
    controller.reaper.sweep()
    instance = controller.instance(operation.instance_uuid)
    assert (instance.vm_state, instance.host, controller.claimed(instance.uuid)) == ('error', None, [])
    assert instance.fault is not None and instance.fault.reason == 'deadline'
    if begun:
        with pytest.raises(exception.Stale):
            controller.finish(operation.id, 'b')
    assert controller.instance(operation.instance_uuid).vm_state == 'error'


@pytest.mark.parametrize('moment', ['queued', 'scheduled', 'begun'])
def test_deleted_meanwhile(controller: Controller, moment: str) -> None:
    operation = controller.create()
    if moment != 'queued':
        place(controller, operation.id)
    if moment == 'begun':
        controller.begin(operation.id, 'b')
    controller.delete(operation.instance_uuid)
    assert controller.operation(operation.id).state == CANCELLED
    sent = len(controller.builds())
    place(controller, operation.id)
    controller.overdue(operation.id)
    controller.reaper.sweep()
    assert len(controller.builds()) == sent
    for late in (lambda: controller.begin(operation.id, 'b'), lambda: controller.finish(operation.id, 'b'),
                 lambda: controller.fail(operation.id, 'b')):
        with pytest.raises(exception.Stale):
            late()
    assert controller.instance(operation.instance_uuid).task_state == 'deleting'


def test_a_failure_that_is_overtaken_by_a_delete_changes_nothing(controller: Controller) -> None:
    operation = controller.create()
    place(controller, operation.id)
    work = controller.begin(operation.id, 'b')
    controller.delete(operation.instance_uuid)
    controller.conductor.submit(create.failed, USER, work, OperationError(message='late', retryable=True))
    assert controller.claimed(operation.instance_uuid) == ['b'] and controller.builds() == ['b']


def test_reports_of_an_old_incarnation_are_refused(controller: Controller) -> None:
    operation = controller.create()
    place(controller, operation.id)
    controller.begin(operation.id, 'b')
    old = controller.incarnations['b']
    controller.add_host('b')
    held = controller.register('b').held
    assert held == (operation.ref,)
    new, controller.incarnations['b'] = controller.incarnations['b'], old
    reports, who = controller.reports, controller.who('b')
    for say in (lambda: controller.begin(operation.id, 'b'), lambda: controller.finish(operation.id, 'b'),
                lambda: controller.fail(operation.id, 'b'),
                lambda: reports.progress(USER, operation_id=operation.id, stage='spawning', **who),
                lambda: reports.heartbeat(USER, operations=(operation.id,), **who),
                lambda: reports.observed(USER, power_states={}, **who), lambda: reports.instances(USER, **who)):
        with pytest.raises(exception.Stale):
            say()
    controller.incarnations['b'] = new
    controller.finish(operation.id, 'b')
    assert controller.instance(operation.instance_uuid).vm_state == 'active'


def test_heartbeats_renew_and_tell_what_is_lost(controller: Controller) -> None:
    operation = controller.create()
    place(controller, operation.id)
    controller.begin(operation.id, 'b')
    controller.overdue(operation.id)
    who = controller.who('b')
    assert controller.reports.heartbeat(USER, operations=(operation.id,), **who) == ()
    assert controller.reaper.sweep() == 0
    controller.delete(operation.instance_uuid)
    assert controller.reports.heartbeat(USER, operations=(operation.id, 999), **who) == (operation.id, 999)


def test_another_host_may_not_report_on_it(controller: Controller) -> None:
    operation = controller.create()
    place(controller, operation.id)
    with pytest.raises(exception.Stale):
        controller.begin(operation.id, 'a')
    controller.begin(operation.id, 'b')
    with pytest.raises(exception.Stale):
        controller.finish(operation.id, 'a', InstanceUpdate(vm_state='active'))


def test_one_conductor_sweeps_at_a_time(controller: Controller) -> None:
    operation = controller.create()
    assert controller.reaper.sweep() == 0
    controller.overdue(operation.id)
    second = Reaper(AtOnce(controller.cloud))  # type: ignore[arg-type]
    assert second.sweep() == 0
    assert controller.operation(operation.id).state == QUEUED
    assert controller.reaper.sweep() == 1
