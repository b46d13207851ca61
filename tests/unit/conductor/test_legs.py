"""An operation of three legs: each goes on at the next place, and what was done is undone, last leg first."""

from __future__ import annotations

import pytest

from compute import exception
from compute.db import operations
from compute.objects.operation import (
    DONE,
    FAILED,
    RUNNING,
    UNDOING,
    InstanceUpdate,
    OperationError,
    StageBegan,
)
from tests.unit.conductor.making import LONG_AGO, USER
from tests.unit.conductor.travelling import Travel, failed

FULL = ('disk_full', 'The disk is full')


# -- forward --

def test_each_leg_goes_on_at_the_next_place(travel: Travel) -> None:
    assert travel.place().told() == [None, 'b'] and travel.operation.leg == 1
    work = travel.begin('b')
    assert (work.noted, work.operation.leg, work.operation.stage) == ('leaving', 1, 'choosing')
    assert travel.server.task_state == 'resize_migrating'
    travel.finish('b', update=InstanceUpdate(power_state=4))
    operation = travel.operation
    assert (operation.leg, operation.host, operation.owner, operation.state) == (2, 'a', None, RUNNING)
    assert travel.told() == [None, 'b', 'a'] and travel.server.power_state == 4 and travel.handler.advances == [1]
    work = travel.begin('a')
    assert (work.noted, work.operation.leg, travel.server.task_state) == ('arriving', 2, 'resize_migrated')
    travel.finish('a', update=InstanceUpdate(power_state=1), stages=(StageBegan(name='starting', ago=1.0),))
    assert (travel.operation.state, travel.operation.leg, travel.handler.releases) == (DONE, 2, [])
    assert (travel.server.host, travel.server.task_state, travel.server.power_state) == ('a', None, 1)
    events = travel.controller.db.read(lambda connection: operations.events_of(connection, travel.number))
    assert [(event.name, event.host, event.result) for event in events] == [
        ('choosing', 'c1', 'Success'), ('leaving', 'b', 'Success'), ('arriving', 'a', 'Success'),
        ('starting', 'a', 'Success')]


def test_what_a_leg_finds_goes_into_the_plan(travel: Travel) -> None:
    travel.place().begin('b')
    travel.finish('b', carry={'found': 'a hat', 'of_a_later_release': 1})
    assert travel.operation.plan == {'source': 'b', 'destination': 'a', 'found': 'a hat'}
    assert travel.begin('a').operation.plan['found'] == 'a hat'


def test_a_leg_that_finds_nothing_carries_nothing(travel: Travel) -> None:
    travel.place().begin('b')
    travel.finish('b')
    assert travel.operation.plan == {'source': 'b', 'destination': 'a', 'found': None}


def test_stages_that_were_not_told_are_written_when_a_leg_ends(travel: Travel) -> None:
    travel.leave()
    travel.begin('a')
    travel.finish('a', stages=(StageBegan(name='starting', ago=0.5),))
    assert travel.operation.stage == 'starting'


def test_a_next_place_that_is_not_notified_is_sent_again(travel: Travel) -> None:
    travel.place().begin('b')
    travel.controller.rpc.refuse(exception.Unavailable('no broker'))
    travel.finish('b')
    travel.controller.rpc.refuse(None)
    assert travel.told() == [None, 'b']
    travel.sweep()
    assert travel.told() == [None, 'b', 'a']
    travel.begin('a')
    travel.finish('a')


# -- reports that come again, or late --

def test_reports_of_a_leg_that_come_again_change_nothing(travel: Travel) -> None:
    travel.leave()
    for _ in range(2):  # its answer was lost; nobody has begun the next leg, then somebody has
        before = travel.operation
        travel.finish('b', leg=1, carry={'found': 'another'}, update=InstanceUpdate(vm_state='stopped'))
        assert travel.operation == before and travel.told() == [None, 'b', 'a']
        travel.begin('a')
    travel.finish('a')
    before = travel.operation
    travel.finish('a', leg=2)
    travel.finish('b', leg=1)
    assert travel.operation == before and travel.server.vm_state == 'active' and travel.handler.advances == [1]


def test_a_report_of_the_leg_before_does_not_end_the_next_one_on_the_same_host(travel: Travel) -> None:
    """Source and destination are one host, and a message comes late, when the host has begun the next leg."""
    travel.leave()
    travel.controller.overdue(travel.number, host='b')
    travel.begin('b')
    travel.finish('b', leg=1)
    assert (travel.operation.state, travel.operation.leg) == (RUNNING, 2)
    travel.finish('b')
    assert travel.operation.state == DONE


def test_a_late_report_of_a_leg_is_not_taken_for_its_undo(travel: Travel) -> None:
    travel.arrive().fail('a')
    travel.begin('b')
    with pytest.raises(exception.Stale):
        travel.finish('b', leg=1, undone=False)
    assert travel.operation.state == UNDOING and travel.handler.releases == []
    travel.finish('b')
    assert failed(travel)


def test_an_undo_that_is_reported_again_changes_nothing(travel: Travel) -> None:
    travel.arrive().fail('a')
    travel.begin('b')
    for _ in range(2):
        travel.finish('b', leg=1, undone=True)
        assert failed(travel)


@pytest.mark.parametrize('undone', [False, True])
def test_a_leg_that_was_never_begun_cannot_be_reported(travel: Travel, undone: bool) -> None:
    travel.place()
    for leg in (0, 1, 2):
        for host in ('a', 'b'):
            with pytest.raises(exception.Stale):
                travel.finish(host, leg=leg, undone=undone)
    assert (travel.operation.state, travel.operation.leg) == (RUNNING, 1)


# -- undo --

def test_a_failure_at_the_destination_undoes_the_source(travel: Travel) -> None:
    travel.arrive().fail('a')
    operation = travel.operation
    assert (operation.state, operation.leg, operation.host, operation.owner) == (UNDOING, 1, 'b', None)
    assert operation.error and (operation.error.code, operation.error.message) == FULL
    assert travel.told() == [None, 'b', 'a', 'b'] and travel.handler.releases == []
    assert travel.server.task_state is not None and travel.controller.claimed(travel.key) == ['a', 'b']
    work = travel.begin('b')
    assert (work.operation.state, work.operation.leg, work.noted) == (UNDOING, 1, None)
    assert work.operation.plan['found'] == 'a hat'
    travel.finish('b', update=InstanceUpdate(power_state=1, vm_state='active'))
    assert failed(travel) and travel.server.power_state == 1 and travel.told() == [None, 'b', 'a', 'b']


def test_a_failure_at_the_source_undoes_nothing_more(travel: Travel) -> None:
    travel.place().begin('b')
    travel.fail('b')
    assert failed(travel) and travel.told() == [None, 'b']


def test_a_failure_of_the_first_leg_ends_it(travel: Travel) -> None:
    travel.sweep(deadline_at=LONG_AGO)
    assert travel.operation.state == FAILED and travel.handler.releases == [0]
    assert travel.server.vm_state == 'active' and travel.controller.claimed(travel.key) == ['b']


@pytest.mark.parametrize('host', ['a', 'b'])
def test_a_host_that_could_not_undo_its_own_leg_is_asked_to_do_it_again(travel: Travel, host: str) -> None:
    if host == 'a':
        travel.arrive('starting')
    else:
        travel.place().begin('b')
    error = OperationError(code='disk_full', message='The disk is full', stage='starting', left_behind=True)
    travel.controller.reports.fail(USER, operation_id=travel.number, error=error, **travel.controller.who(host))
    assert (travel.operation.state, travel.operation.host) == (UNDOING, host)
    travel.begin(host)
    travel.finish(host)
    if host == 'a':
        assert travel.operation.host == 'b'
        travel.begin('b')
        travel.finish('b')
    assert failed(travel)


def test_undo_is_refused_to_others(travel: Travel) -> None:
    travel.arrive().fail('a')
    with pytest.raises(exception.Stale):
        travel.begin('a')
    with pytest.raises(exception.Stale):
        travel.finish('b')  # it has not begun
    travel.begin('b')
    for call in (lambda: travel.finish('a', leg=1), lambda: travel.fail('a'), lambda: travel.begin('a')):
        with pytest.raises(exception.Stale):
            call()
    assert travel.operation.state == UNDOING
    travel.finish('b')
    assert failed(travel)


def test_undo_is_fenced(travel: Travel) -> None:
    """The worker that undoes starts anew: its successor gets the operation, and the old one is refused."""
    travel.arrive().fail('a')
    travel.begin('b')
    old = travel.controller.who('b')
    travel.controller.incarnations['b'] = 'b' * 36
    held = travel.controller.register('b', 8192).held
    assert [(ref.operation_id, ref.kind) for ref in held] == [(travel.number, 'travel')]
    with pytest.raises(exception.Superseded):
        travel.controller.reports.finish(USER, operation_id=travel.number, leg=1, update=InstanceUpdate(), undone=True,
                                         **old)
    assert travel.begin('b').operation.state == UNDOING
    travel.finish('b')
    assert failed(travel)


def test_who_registers_gets_what_it_has_to_undo_and_no_other(travel: Travel) -> None:
    travel.arrive().fail('a')
    assert travel.controller.register('a', 4096).held == ()
    assert [ref.operation_id for ref in travel.controller.register('b').held] == [travel.number]
    assert travel.operation.state == UNDOING
    travel.finish('b')
    assert failed(travel)


def test_heartbeats_renew_what_is_undone(travel: Travel) -> None:
    travel.arrive().fail('a')
    travel.begin('b')
    travel.controller.overdue(travel.number)
    lost = travel.controller.reports.heartbeat(USER, operations=(travel.number,), **travel.controller.who('b'))
    assert lost == () and travel.controller.reaper.sweep() == 0
    travel.finish('b')


def test_an_undo_that_fails_is_tried_again(travel: Travel) -> None:
    travel.arrive().fail('a')
    for attempt in (1, 2):
        travel.begin('b')
        error = OperationError(code='libvirt', message='It hangs')
        travel.controller.reports.fail(USER, operation_id=travel.number, error=error, **travel.controller.who('b'))
        operation = travel.operation
        assert (operation.state, operation.owner, operation.attempt) == (UNDOING, None, attempt)
        assert operation.error and operation.error.code == 'disk_full', 'the first error is the reason'
        assert travel.controller.reaper.sweep() == 0, 'not at once'
        travel.sweep()
    assert travel.told() == [None, 'b', 'a', 'b', 'b', 'b']
    travel.begin('b')
    travel.finish('b')
    assert failed(travel)


def test_an_undo_whose_message_was_lost_is_sent_again(travel: Travel) -> None:
    travel.arrive()
    travel.controller.rpc.refuse(exception.Unavailable('no broker'))
    travel.fail('a')
    travel.controller.rpc.refuse(None)
    travel.sweep()
    assert travel.told() == [None, 'b', 'a', 'b'] and travel.operation.state == UNDOING
    travel.begin('b')
    travel.finish('b')
    assert failed(travel)
