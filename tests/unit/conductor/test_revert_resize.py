"""A resize that is taken back: what the server is and has after each leg, and after each failure."""

from __future__ import annotations

import pytest

from compute import exception
from compute.objects.operation import DONE, FAILED, QUEUED
from tests.unit.conductor.making import LONG_AGO, Controller
from tests.unit.conductor.moves import LARGE, SIZES, SMALL, Move, add_flavors


@pytest.fixture(params=[LARGE, SMALL])
def resized(request: pytest.FixtureRequest, controller: Controller) -> Move:
    """A server that was resized from b to a."""
    add_flavors(controller)
    controller.conf.set_override('allow_resize_to_same_host', False, 'conductor')
    return Move(controller).resize(request.param).moved()


def waits(move: Move) -> bool:
    """Return whether the server is resized, at its new place, with both claims."""
    server = move.server
    return ((server.vm_state, server.task_state, server.host) == ('resized', None, 'a')
            and server.flavor.flavorid in (LARGE, SMALL) and move.claims == {'current': 'a', 'outgoing': 'b'})


@pytest.mark.parametrize('vm_state', ['active', 'stopped'])
def test_it_is_where_and_what_it_was(controller: Controller, vm_state: str) -> None:
    add_flavors(controller)
    controller.conf.set_override('allow_resize_to_same_host', False, 'conductor')
    move = Move(controller, vm_state).resize().moved().revert()
    assert (move.operation.state, move.server.task_state, move.status) == (QUEUED, 'resize_reverting', 'reverting')
    move.place()
    assert (move.operation.host, move.operation.leg) == ('a', 0)
    move.done(power_state=4)
    assert (move.operation.host, move.operation.leg) == ('b', 1)
    assert (move.server.host, move.server.flavor.flavorid, move.charged) == ('b', '1', SIZES['1'])
    assert move.claims == {'current': 'b'} and move.server.task_state is not None
    assert move.begin().noted == 'resize_restoring' and move.server.task_state == 'resize_reverting'
    move.done(power_state=1, vm_state=vm_state, launched=True)
    assert move.operation.state == DONE and move.is_as_it_was(vm_state=vm_state) and move.status == 'reverted'
    assert [sent.server for sent in controller.rpc.begun('revert_resize')] == [None, 'a', 'b']


def test_on_one_host(controller: Controller) -> None:
    add_flavors(controller)
    controller.register('a', 256)
    move = Move(controller).resize(SMALL).moved()
    assert move.claims == {'current': 'b', 'outgoing': 'b'}
    move.revert().place().done().done(vm_state='active')
    assert move.is_as_it_was()
    move.resize(SMALL).moved()


def test_a_failure_at_the_new_place_keeps_it_resized(resized: Move) -> None:
    charged = resized.charged
    resized.revert().place().fail()
    assert waits(resized) and resized.operation.state == FAILED and resized.charged == charged
    assert resized.server.fault is not None and resized.server.fault.reason == 'disk_full'


def test_after_a_failure_it_may_be_reverted_again_and_not_confirmed(resized: Move) -> None:
    """The new place may have removed the guest: what the source keeps is the only one."""
    resized.revert().place().fail()
    server = resized.server
    with pytest.raises(exception.Conflict) as caught:
        resized.confirm()
    assert caught.value.code == 'wrong_state' and resized.server == server and resized.status == 'reverting'
    resized.revert().place().done().done(vm_state='active', clear_fault=True)
    assert resized.is_as_it_was() and resized.status == 'reverted'


def test_before_the_new_place_began_it_may_be_confirmed_after_a_failure(resized: Move) -> None:
    resized.revert().place().sweep(deadline_at=LONG_AGO)
    assert waits(resized) and resized.status == 'finished'
    resized.confirm().place().done()
    assert (resized.server.vm_state, resized.status) == ('active', 'confirmed')


@pytest.mark.parametrize('how', ['fails', 'is down', 'deadline'])
def test_a_source_that_cannot_start_it_leaves_it_in_error_there(resized: Move, how: str) -> None:
    resized.revert().place().done()
    if how == 'fails':
        resized.fail()
    elif how == 'is down':
        resized.begin()
        resized.controller.down('b')
        resized.sweep()
    else:
        resized.sweep(deadline_at=LONG_AGO)
    code = {'fails': 'disk_full', 'is down': 'host_down', 'deadline': 'deadline'}[how]
    assert resized.operation.state == FAILED and resized.is_as_it_was(code, 'error') and resized.status == 'reverted'


def test_a_new_place_that_is_down_keeps_it_resized(resized: Move) -> None:
    resized.revert().place().begin()
    resized.controller.down('a')
    resized.sweep()
    assert waits(resized) and resized.operation.error is not None and resized.operation.error.code == 'host_down'
    with pytest.raises(exception.Conflict) as caught:
        resized.revert()
    assert caught.value.code == 'host_down'


@pytest.mark.parametrize('leg', [0, 1])
def test_the_message_twice_begins_once(resized: Move, leg: int) -> None:
    resized.revert().place()
    if leg:
        resized.done()
    before = resized.operation
    resized.place()
    assert resized.operation == before
    for _ in range(2 - leg):
        resized.done(vm_state='active')
    assert resized.is_as_it_was()


def test_a_lost_message_is_sent_again(resized: Move) -> None:
    resized.revert()
    for host in ('a', 'a'):
        resized.sweep()
        assert resized.operation.host == host
    resized.done()
    resized.sweep()
    assert [sent.server for sent in resized.controller.rpc.begun('revert_resize')] == [None, 'a', 'a', 'b', 'b']
    resized.done(vm_state='active')
    assert resized.is_as_it_was()


@pytest.mark.parametrize('leg', [0, 1])
def test_a_delete_in_the_midst_leaves_nothing(resized: Move, leg: int) -> None:
    resized.revert().place()
    if leg:
        resized.done()
    resized.number = resized.controller.delete(resized.key).id
    resized.place()
    visited = []
    while resized.operation.state != DONE:
        visited.append(resized.operation.host)
        resized.done()
    assert visited == (['b'] if leg else ['a', 'b'])
    assert resized.server.deleted and resized.claims == {} and resized.charged == (0, 0)
    assert resized.status == 'error'
