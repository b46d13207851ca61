"""The end of a resize that its user, or the window, confirms."""

from __future__ import annotations

import uuid
from types import SimpleNamespace

import pytest

from compute import exception
from compute.conductor.unconfirmed import Unconfirmed
from compute.db import instances
from compute.db.tables import migrations as table
from compute.objects.host import Inventory
from compute.objects.operation import DONE, FAILED, QUEUED
from compute.objects.registration import HostReport
from tests.unit.conductor.making import LONG_AGO, USER, AtOnce, Controller
from tests.unit.conductor.moves import LARGE, SIZES, SMALL, Move, add_flavors


@pytest.fixture
def resized(controller: Controller) -> Move:
    """A server that was resized from b to a."""
    add_flavors(controller)
    controller.conf.set_override('allow_resize_to_same_host', False, 'conductor')
    return Move(controller).resize().moved()


def confirmed(move: Move, vm_state: str = 'active') -> bool:
    """Return whether the server is at its new place only."""
    server = move.server
    return (move.operation.state == DONE and move.status == 'confirmed' and move.claims == {'current': 'a'}
            and (server.vm_state, server.task_state, server.host, server.flavor.flavorid) == (
                vm_state, None, 'a', LARGE) and move.charged == SIZES[LARGE])


def test_the_source_removes_what_it_kept(resized: Move) -> None:
    resized.confirm()
    assert (resized.operation.state, resized.server.task_state, resized.status) == (
        QUEUED, 'resize_confirming', 'confirming')
    assert resized.migrations[0].operation_id == resized.number
    resized.place()
    assert (resized.operation.host, resized.operation.leg, resized.claims) == (
        'b', 0, {'current': 'a', 'outgoing': 'b'})
    work = resized.begin()
    assert work.noted == 'resize_confirming' and work.operation.plan['source'] == 'b'
    resized.controller.finish(resized.number, 'b')
    assert confirmed(resized)


def test_a_stopped_server_stays_stopped(controller: Controller) -> None:
    add_flavors(controller)
    controller.conf.set_override('allow_resize_to_same_host', False, 'conductor')
    move = Move(controller, 'stopped').resize().moved().confirm().place().done()
    assert confirmed(move, 'stopped')


def test_a_smaller_flavor_frees_quota(controller: Controller) -> None:
    add_flavors(controller)
    move = Move(controller).resize(SMALL).moved()
    assert move.charged == SIZES['1']
    move.confirm().place().done()
    assert move.charged == SIZES[SMALL]


@pytest.mark.parametrize('down', ['before', 'when it began'])
def test_a_source_that_is_down_does_not_hinder_it(resized: Move, down: str) -> None:
    resized.confirm()
    if down == 'when it began':
        resized.place().begin()
    resized.controller.down('b')
    resized.place()
    resized.sweep()
    assert confirmed(resized)
    node = str(uuid.uuid5(uuid.NAMESPACE_DNS, 'b'))
    report = HostReport(host='b', incarnation='c' * 36, node_uuid=node, aside=(resized.key,), reserved_memory_mb=0)
    registration = resized.controller.reports.register(USER, report=report, inventory=Inventory(
        node='b', vcpus=8, memory_mb=8192, disk_gb=100, free_disk_gb=100))
    assert registration.left_aside == (resized.key,) and registration.held == ()


def test_a_lost_message_is_sent_again(resized: Move) -> None:
    resized.confirm()
    resized.sweep()
    assert resized.operation.host == 'b'
    resized.sweep()
    assert [sent.server for sent in resized.controller.rpc.begun('confirm_resize')] == [None, 'b', 'b']
    resized.done()
    assert confirmed(resized)


def test_the_message_twice_begins_once(resized: Move) -> None:
    resized.confirm().place()
    before = resized.operation
    resized.place()
    assert resized.operation == before
    resized.done()
    assert confirmed(resized)


def test_after_a_failure_it_may_be_confirmed_again_and_not_reverted(resized: Move) -> None:
    """The source may have removed its files: what it would restore is not there any more."""
    resized.confirm().place().fail()
    server = resized.server
    assert (server.vm_state, server.task_state, server.host) == ('resized', None, 'a')
    assert server.fault is not None and server.fault.reason == 'disk_full'
    assert resized.claims == {'current': 'a', 'outgoing': 'b'} and resized.status == 'confirming'
    with pytest.raises(exception.Conflict) as caught:
        resized.revert()
    assert caught.value.code == 'wrong_state' and resized.server == server
    resized.confirm().place().done()
    assert confirmed(resized) and resized.server.fault is None


def test_before_the_source_began_it_may_be_reverted_after_a_failure(resized: Move) -> None:
    resized.confirm().place().sweep(deadline_at=LONG_AGO)
    assert (resized.operation.state, resized.server.vm_state, resized.status) == (FAILED, 'resized', 'finished')
    resized.revert().place().done().done(vm_state='active')
    assert resized.is_as_it_was() and resized.status == 'reverted'


def test_twice_is_refused(resized: Move) -> None:
    resized.confirm()
    for ask in (resized.confirm, resized.revert):
        with pytest.raises(exception.Conflict) as caught:
            ask()
        assert 'resize_confirming' in caught.value.message
    resized.place().done()
    for ask in (resized.confirm, resized.revert):
        with pytest.raises(exception.Conflict) as caught:
            ask()
        assert 'vm_state active' in caught.value.message


def test_a_server_without_a_finished_migration_is_refused(resized: Move) -> None:
    """Its row was put in that state by hand."""
    resized.controller.db.transaction(lambda connection: connection.execute(table.update().values(status='error')))
    for ask in (resized.confirm, resized.revert):
        with pytest.raises(exception.Conflict) as caught:
            ask()
        assert 'no finished migration' in caught.value.message
    assert resized.server.task_state is None


def test_an_operation_without_its_migration_ends_at_its_deadline(resized: Move) -> None:
    resized.confirm()
    resized.controller.db.transaction(lambda connection: connection.execute(table.update().values(operation_id=0)))
    resized.place()
    assert resized.operation.state == QUEUED
    resized.sweep(deadline_at=LONG_AGO)
    assert (resized.operation.state, resized.server.vm_state, resized.server.task_state) == (FAILED, 'resized', None)


# -- the window --

def old(move: Move) -> None:
    move.controller.db.transaction(lambda connection: connection.execute(table.update().values(updated_at=LONG_AGO)))


def test_what_nobody_decides_is_confirmed_after_the_window(resized: Move) -> None:
    task = Unconfirmed(resized.controller.conductor)
    assert task.run() == 0
    old(resized)
    assert task.run() == 1 and task.run() == 0
    resized.number = resized.controller.newest(resized.key).id
    assert resized.operation.kind == 'confirm_resize'
    resized.place().done()
    assert confirmed(resized)


def test_a_locked_server_is_confirmed_after_the_window(resized: Move) -> None:
    resized.controller.db.transaction(lambda connection: instances.update(connection, resized.key, locked=True))
    old(resized)
    assert Unconfirmed(resized.controller.conductor).run() == 1


def test_without_a_window_nothing_is_confirmed(resized: Move) -> None:
    old(resized)
    resized.controller.conf.set_override('resize_confirm_window', 0, 'conductor')
    assert Unconfirmed(resized.controller.conductor).run() == 0


@pytest.mark.parametrize('what', ['confirm', 'revert'])
def test_what_its_user_decides_meanwhile_is_left_alone(resized: Move, what: str) -> None:
    getattr(resized, what)()
    old(resized)
    assert Unconfirmed(resized.controller.conductor).run() == 0
    assert resized.controller.newest(resized.key).id == resized.number


def test_a_confirmation_that_failed_is_tried_again_after_the_window(resized: Move) -> None:
    resized.confirm().place().fail()
    old(resized)
    assert Unconfirmed(resized.controller.conductor).run() == 1


def test_one_conductor_at_a_time_confirms(resized: Move) -> None:
    old(resized)
    other = AtOnce(SimpleNamespace(**{**vars(resized.controller.cloud), 'host': 'c2'}))  # type: ignore[arg-type]
    assert Unconfirmed(other).run() == 1
    assert Unconfirmed(resized.controller.conductor).run() == 0
