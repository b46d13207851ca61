"""Operations of three legs whose hosts are down, that are past their deadline, or whose server is deleted."""

from __future__ import annotations

import pytest

from compute import exception
from compute.conductor import delete
from compute.objects.operation import CANCELLED, DONE, FAILED, QUEUED, RUNNING, UNDOING, InstanceUpdate
from compute.objects.value import now
from tests.unit.conductor.making import LONG_AGO, USER
from tests.unit.conductor.travelling import Travel, failed

# -- hosts without heartbeat --

def test_a_destination_that_is_down_does_not_keep_the_server_from_its_source(travel: Travel) -> None:
    travel.arrive()
    travel.controller.down('a')
    travel.sweep()
    assert (travel.operation.state, travel.operation.host) == (UNDOING, 'b')
    travel.begin('b')
    travel.finish('b')
    assert failed(travel, 'host_down')


def test_a_destination_that_never_began_is_not_waited_for(travel: Travel) -> None:
    travel.leave()
    travel.controller.down('a')
    travel.sweep()
    assert (travel.operation.state, travel.operation.host) == (UNDOING, 'b')
    travel.begin('b')
    travel.finish('b')
    assert failed(travel, 'host_down')


def test_a_destination_that_may_run_the_guest_is_waited_for(travel: Travel) -> None:
    travel.arrive('starting')
    travel.controller.down('a')
    for _ in range(2):
        travel.sweep()
        assert (travel.operation.state, travel.operation.host) == (RUNNING, 'a'), 'else it would run twice'
    travel.controller.register('a', 4096)
    travel.finish('a')
    assert travel.operation.state == DONE


def test_a_destination_that_may_run_the_guest_and_stays_away_ends_it_at_the_deadline(travel: Travel) -> None:
    travel.arrive('starting')
    travel.controller.down('a')
    travel.sweep()
    for state in (UNDOING, FAILED):
        travel.sweep(deadline_at=LONG_AGO)
        assert travel.operation.state == state and 'b' not in travel.told()[2:], 'it is never started at its source'
    assert failed(travel, 'undo_failed', 'error')


def test_undo_at_a_destination_that_is_down_is_skipped(travel: Travel) -> None:
    travel.arrive()
    travel.sweep(deadline_at=LONG_AGO)
    assert (travel.operation.state, travel.operation.leg, travel.operation.host) == (UNDOING, 2, 'a')
    travel.controller.down('a')
    travel.sweep()
    assert (travel.operation.state, travel.operation.leg, travel.operation.host) == (UNDOING, 1, 'b')
    travel.begin('b')
    travel.finish('b')
    assert failed(travel, 'deadline')


def test_undo_at_a_source_that_is_down_is_waited_for(travel: Travel) -> None:
    travel.arrive().fail('a')
    travel.controller.down('b')
    for _ in range(2):
        travel.sweep()
        assert (travel.operation.state, travel.operation.leg) == (UNDOING, 1)
    assert [ref.operation_id for ref in travel.controller.register('b').held] == [travel.number]
    travel.finish('b')
    assert failed(travel)


def test_a_source_that_goes_down_in_its_leg_undoes_it_when_it_returns(travel: Travel) -> None:
    """It has set the guest aside, maybe: nobody else can make the server run again."""
    travel.place().begin('b')
    travel.controller.down('b')
    travel.sweep()
    assert (travel.operation.state, travel.operation.leg, travel.operation.host) == (UNDOING, 1, 'b')
    travel.sweep()
    assert travel.operation.state == UNDOING
    travel.controller.register('b')
    travel.finish('b')
    assert failed(travel, 'host_down')


def test_a_source_that_goes_down_before_its_leg_ends_it(travel: Travel) -> None:
    travel.place()
    travel.controller.down('b')
    travel.sweep()
    assert failed(travel, 'host_down')


# -- deadlines --

def test_past_its_deadline_the_leg_that_ran_is_undone_first(travel: Travel) -> None:
    travel.arrive()
    travel.sweep(deadline_at=LONG_AGO)
    operation = travel.operation
    assert (operation.state, operation.leg, operation.host) == (UNDOING, 2, 'a')
    assert operation.deadline_at is not None and (operation.deadline_at - now()).total_seconds() > 500
    with pytest.raises(exception.Stale):
        travel.finish('a', leg=2, undone=False)  # it comes too late
    for host in ('a', 'b'):
        travel.begin(host)
        travel.finish(host)
    assert failed(travel, 'deadline') and travel.told() == [None, 'b', 'a', 'a', 'b']


def test_past_its_deadline_a_leg_that_nobody_began_is_not_undone(travel: Travel) -> None:
    travel.leave()
    travel.sweep(deadline_at=LONG_AGO)
    assert (travel.operation.state, travel.operation.leg) == (UNDOING, 1)
    travel.begin('b')
    travel.finish('b')
    assert failed(travel, 'deadline')


@pytest.mark.parametrize('how', ['it fails', 'nobody does it'])
def test_what_cannot_be_undone_in_time_is_told(travel: Travel, how: str) -> None:
    travel.arrive().fail('a')
    if how == 'it fails':
        travel.begin('b')
        travel.controller.overdue(travel.number, deadline_at=LONG_AGO)
        travel.fail('b')
    else:
        travel.sweep(deadline_at=LONG_AGO)
    assert failed(travel, 'undo_failed', 'error')
    error = travel.operation.error
    assert error is not None and error.message.startswith('The disk is full; and') and not error.retryable
    with pytest.raises(exception.Stale):
        travel.begin('b')


# -- deletes --

@pytest.mark.parametrize('down', ['', 'a', 'b', 'ab'])
@pytest.mark.parametrize('when', ['leg 0', 'leg 1', 'leg 1 begun', 'leg 2', 'leg 2 begun', 'undoing', 'undo begun'])
def test_a_delete_cancels_it_and_visits_every_host(travel: Travel, when: str, down: str) -> None:
    controller = travel.controller
    {'leg 0': lambda: None, 'leg 1': travel.place, 'leg 1 begun': lambda: travel.place().begin('b'),
     'leg 2': travel.leave, 'leg 2 begun': travel.arrive, 'undoing': lambda: travel.arrive().fail('a'),
     'undo begun': lambda: (travel.arrive().fail('a'), travel.begin('b'))}[when]()  # type: ignore[func-returns-value]
    claimed = controller.claimed(travel.key)
    assert claimed == (['b'] if when == 'leg 0' else ['a', 'b'])
    number = controller.delete(travel.key).id
    assert travel.operation.state == CANCELLED and controller.operation(number).state == QUEUED
    for host in ('a', 'b'):
        with pytest.raises(exception.Stale):
            travel.begin(host)
        with pytest.raises(exception.Stale):
            travel.finish(host, leg=2)
    for host in down:
        controller.down(host)
    controller.conductor.submit(delete.remove, USER, number)
    visited = []
    while (host := controller.operation(number).host) and controller.operation(number).state != DONE:
        visited.append(host)
        controller.begin(number, host)
        controller.finish(number, host, InstanceUpdate())
    assert visited == [host for host in ('b', 'a') if host in claimed and host not in down]
    assert controller.instance(travel.key).deleted and controller.claimed(travel.key) == []
    assert controller.operation(number).state == DONE and travel.handler.releases == []


def test_a_host_of_a_delete_that_fails_is_asked_again_and_the_next_is_not_forgotten(travel: Travel) -> None:
    controller = travel.arrive().controller
    number = controller.delete(travel.key).id
    controller.conductor.submit(delete.remove, USER, number)
    controller.begin(number, 'b')
    controller.finish(number, 'b', InstanceUpdate())
    controller.begin(number, 'a')
    controller.fail(number, 'a')
    controller.overdue(number)
    controller.reaper.sweep()
    while controller.operation(number).state != DONE:
        host = controller.operation(number).host or ''
        controller.begin(number, host)
        controller.finish(number, host, InstanceUpdate())
    assert controller.instance(travel.key).deleted
