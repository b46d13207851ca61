"""Resizes and cold migrations at the conductor: a destination, and claims, quota and migration at each end."""

from __future__ import annotations

from typing import Any

import pytest

from compute import exception
from compute.conductor import create, placing
from compute.conductor.moving import _spec
from compute.control.instances import migrate
from compute.db import instances, quotas, server_groups, services
from compute.db.tables import hosts
from compute.objects.kinds import kind_of
from compute.objects.operation import DONE, FAILED, QUEUED, RUNNING, UNDOING
from tests.unit.conductor.making import LONG_AGO, USER, Controller
from tests.unit.conductor.moves import LARGE, SIZES, SMALL, Move, add_flavors


@pytest.fixture
def roomy(controller: Controller) -> Controller:
    """Hosts a with 4 GB, b with 8 GB, c with 6 GB, and flavors of three sizes."""
    controller.add_host('c', 6144)
    add_flavors(controller)
    return controller


@pytest.fixture
def move(roomy: Controller) -> Move:
    return Move(roomy)


def told(move: Move) -> list[str | None]:
    """Return who was notified of the last operation, in order; None is a conductor."""
    return [sent.server for sent in move.controller.rpc.begun(move.operation.kind)]


# -- the way there --

@pytest.mark.parametrize('vm_state', ['active', 'stopped'])
def test_a_migration_moves_claims_and_server_and_waits(roomy: Controller, vm_state: str) -> None:
    move = Move(roomy, vm_state).migrate()
    assert (move.operation.state, move.operation.host, move.server.task_state) == (QUEUED, None, 'resize_prep')
    migration = move.migrations[0]
    assert (migration.type, migration.status, migration.source_host, migration.dest_host) == (
        'migration', 'pre-migrating', 'b', None)
    assert (migration.old_vm_state, migration.old_flavor, migration.new_flavor) == (
        vm_state, move.server.flavor, move.server.flavor)
    move.place()
    assert (move.operation.leg, move.operation.host, move.operation.owner) == (1, 'b', None)
    assert (move.operation.plan['source'], move.operation.plan['destination']) == ('b', 'c')
    assert (move.migrations[0].status, move.migrations[0].dest_host, move.migrations[0].dest_node) == (
        'migrating', 'c', 'c')
    assert move.claims == {'current': 'b', 'incoming': 'c'} and move.server.host == 'b'
    move.done(power_state=4)
    assert (move.status, move.operation.host, move.server.power_state) == ('post-migrating', 'c', 4)
    assert move.server.host == 'b', 'it is not there before it is done'
    move.done(power_state=1, launched=True)
    assert move.operation.state == DONE and told(move) == [None, 'b', 'c']
    server = move.server
    assert (server.vm_state, server.task_state, server.host, server.node, server.power_state) == (
        'resized', None, 'c', 'c', 1)
    assert move.claims == {'current': 'c', 'outgoing': 'b'} and move.status == 'finished'
    assert move.charged == SIZES['1']


@pytest.mark.parametrize(('flavor', 'charged'), [(LARGE, SIZES[LARGE]), (SMALL, SIZES['1'])])
def test_the_larger_flavor_is_charged_until_it_is_decided(move: Move, flavor: str, charged: tuple[int, int]) -> None:
    move.resize(flavor)
    assert (move.charged, move.migrations[0].type) == (charged, 'resize')
    assert (move.migrations[0].old_flavor.flavorid, move.migrations[0].new_flavor.flavorid) == ('1', flavor)
    move.moved()
    assert (move.charged, move.server.flavor.flavorid, move.server.vm_state) == (charged, flavor, 'resized')
    move.confirm().place().done()
    assert (move.charged, move.server.flavor.flavorid, move.server.vm_state) == (SIZES[flavor], flavor, 'active')


def test_a_lost_cast_is_sent_again(move: Move) -> None:
    move.migrate().sweep()
    assert move.operation.host == 'b' and move.claims == {'current': 'b', 'incoming': 'c'}
    move.sweep()
    assert told(move) == [None, 'b', 'b']
    move.done().done()
    assert move.operation.state == DONE


def test_a_conductor_that_dies_between_claim_and_hand_over(move: Move) -> None:
    """The host that it claimed is taken, also if that is full now."""
    roomy = move.controller
    for host in 'ac':
        roomy.register(host, 1024)
    move.migrate('c')
    work = roomy.conductor.lease(move.number)
    assert work is not None
    spec = roomy.db.read(lambda connection: _spec(connection, kind_of('migrate'), work.instance, work.operation, False))
    selection = placing.select(roomy.conductor, USER, work, spec)
    assert selection is not None and selection.host == 'c'
    roomy.add_host('d', 8192)
    move.sweep()
    assert (move.operation.host, move.operation.plan['destination']) == ('b', 'c')
    assert move.claims == {'current': 'b', 'incoming': 'c'}
    move.done().done()
    assert move.server.host == 'c'


def test_the_message_twice_places_once(move: Move) -> None:
    move.migrate().place()
    before = move.operation
    move.place()
    assert move.operation == before and told(move) == [None, 'b']
    move.done()
    before = move.operation
    move.place()
    assert move.operation == before and told(move) == [None, 'b', 'c']
    move.fail()
    before = move.operation
    move.place()
    assert move.operation == before and before.state == UNDOING
    move.done()


# -- what does not fit --

def test_over_quota_nothing_begins(move: Move) -> None:
    move.controller.db.transaction(lambda connection: quotas.set_limit(connection, 'p1', 'ram', 1500))
    with pytest.raises(exception.OverQuota) as caught:
        move.resize()
    assert caught.value.details['resources'] == ['ram'] and caught.value.details['requested']['ram'] == 1024
    assert move.is_as_it_was() and move.migrations == []
    assert move.controller.newest(move.key).kind == 'create'
    move.resize(SMALL)


def test_quota_that_was_lowered_does_not_hinder_a_migration(move: Move) -> None:
    move.controller.db.transaction(lambda connection: quotas.set_limit(connection, 'p1', 'ram', 1))
    move.migrate().moved()
    assert move.server.vm_state == 'resized'


@pytest.mark.parametrize('kind', ['resize', 'migrate'])
def test_without_a_valid_host_the_server_is_as_it_was_and_the_operation_says_why(roomy: Controller, kind: str) -> None:
    move = Move(roomy)
    for host in 'abc':
        roomy.register(host, 1536)
    if kind == 'migrate':
        for host in 'ac':
            roomy.down(host)
    getattr(move, kind)().place()
    assert move.is_as_it_was('no_valid_host') and move.operation.state == FAILED and move.status == 'error'
    error, fault = move.operation.error, move.server.fault
    assert error is not None and fault is not None and fault.message == error.message
    expected = '3 lack RAM' if kind == 'resize' else '1 is its host now'
    assert expected in error.message and error.stage == 'resize_prep'
    for host in 'abc':
        roomy.register(host, 8192)
    getattr(move, kind)().moved()
    assert move.server.vm_state == 'resized' and move.server.fault is None


def test_a_scheduler_that_does_not_answer_is_waited_for(move: Move) -> None:
    select = move.controller.rpc.answers['select']
    move.controller.rpc.answers['select'] = exception.Unavailable('no answer')
    move.migrate().place()
    assert (move.operation.state, move.operation.owner, move.server.task_state) == (RUNNING, None, 'resize_prep')
    move.controller.rpc.answers['select'] = select
    move.sweep()
    assert move.operation.host == 'b' and move.operation.leg == 1
    move.done().done()


# -- which host --

def test_a_migration_leaves_its_host_and_a_resize_may_stay(move: Move) -> None:
    for host in 'ac':
        move.controller.register(host, 256)
    move.migrate().place()
    assert move.is_as_it_was('no_valid_host')
    move.resize(SMALL)
    move.controller.register('b', 16384)
    move.place()
    assert move.operation.plan['source'] == move.operation.plan['destination'] == 'b'
    assert move.claims == {'current': 'b', 'incoming': 'b'}
    move.done().done()
    assert move.claims == {'current': 'b', 'outgoing': 'b'} and told(move) == [None, 'b', 'b']
    move.confirm().place().done()
    assert move.claims == {'current': 'b'} and move.server.flavor.flavorid == SMALL


def test_a_resize_leaves_its_host_if_it_must(move: Move) -> None:
    move.controller.conf.set_override('allow_resize_to_same_host', False, 'conductor')
    move.controller.register('b', 65536)
    move.resize().place()
    assert move.operation.plan['destination'] == 'c'
    move.done().done()


def test_a_requested_host_is_taken_and_checked_like_any_other(move: Move) -> None:
    move.migrate('a').place()
    assert move.operation.plan['destination'] == 'a', 'c has more room'
    move.done().done().confirm().place().done()
    assert move.server.host == 'a'
    move.controller.down('c')
    move.migrate('c').place()
    assert move.operation.error is not None and move.operation.error.code == 'no_valid_host'
    assert 'is down' in move.operation.error.message and move.server.host == 'a'


@pytest.mark.parametrize(('host', 'code'), [('nowhere', 'host_not_found'), ('b', 'same_host')])
def test_a_requested_host_that_cannot_be(move: Move, host: str, code: str) -> None:
    with pytest.raises(exception.Invalid) as caught:
        migrate.migrate(move.controller.cloud, USER, move.server, host)  # type: ignore[arg-type]
    assert caught.value.code == code and move.is_as_it_was() and move.migrations == []


@pytest.mark.parametrize('how', ['down', 'forced down'])
@pytest.mark.parametrize('kind', ['resize', 'migrate', 'revert'])
def test_a_host_without_heartbeat_is_not_left(move: Move, kind: str, how: str) -> None:
    if kind == 'revert':
        move.migrate().moved()
    host = move.server.host or ''

    def force(connection: Any) -> None:
        service = services.find(connection, host, 'nova-compute')
        assert service is not None
        services.update(connection, service.id, forced_down=True)
    if how == 'down':
        move.controller.down(host)
    else:
        move.controller.db.transaction(force)
    before = move.server, move.charged
    with pytest.raises(exception.Conflict) as caught:
        getattr(move, kind)()
    assert caught.value.code == 'host_down' and (move.server, move.charged) == before


def test_hints_hold_for_a_move(roomy: Controller) -> None:
    other = roomy.create()
    roomy.conductor.submit(create.place, USER, other.id)
    assert roomy.instance(other.instance_uuid).host == 'b'
    roomy.db.transaction(lambda connection: instances.update(connection, other.instance_uuid, task_state=None))
    move = Move(roomy, hints={'same_host': other.instance_uuid})
    move.migrate().place()
    assert move.operation.error is not None and 'same_host' in move.operation.error.message
    roomy.db.transaction(lambda connection: instances.update(
        connection, other.instance_uuid, task_state='networking'))
    roomy.begin(other.id, 'b')
    roomy.finish(other.id, 'b')
    assert move.server.host == 'b'


def test_a_zone_that_was_asked_for_holds_for_a_move(roomy: Controller) -> None:
    move = Move(roomy, availability_zone='nova')
    roomy.db.transaction(lambda connection: connection.execute(
        hosts.update().where(hosts.c.host != 'b').values(availability_zone='east')))
    move.migrate().place()
    assert move.operation.error is not None and 'availability zone' in move.operation.error.message
    assert move.is_as_it_was('no_valid_host')


# -- server groups --

def group_of(controller: Controller, policy: str) -> str:
    return controller.db.transaction(lambda connection: server_groups.insert(
        connection, project_id='p1', user_id='ann', name='g', policy=policy))


def members(move: Move, group: str) -> tuple[str, ...]:
    found = move.controller.db.read(lambda connection: server_groups.for_scheduler(connection, group))
    assert found is not None
    return found.member_hosts


def test_a_member_of_an_anti_affinity_group_goes_where_no_other_is(roomy: Controller) -> None:
    group = group_of(roomy, 'anti-affinity')
    move = Move(roomy, hints={'group': group})
    other = roomy.create(hints={'group': group})
    roomy.conductor.submit(create.place, USER, other.id)
    assert roomy.instance(other.instance_uuid).host == 'c'
    roomy.begin(other.id, 'c')
    roomy.finish(other.id, 'c')
    move.migrate().moved()
    assert move.server.host == 'a' and sorted(members(move, group)) == ['a', 'b', 'c']
    third = roomy.create(hints={'group': group})
    roomy.conductor.submit(create.place, USER, third.id)
    fault = roomy.instance(third.instance_uuid).fault
    assert fault is not None and 'anti-affinity' in fault.message, 'the server may come back to b'
    move.confirm().place().done()
    assert sorted(members(move, group)) == ['a', 'c']


@pytest.mark.parametrize('kind', ['revert', 'undo'])
def test_the_seat_of_a_move_that_is_taken_back_is_free(roomy: Controller, kind: str) -> None:
    group = group_of(roomy, 'anti-affinity')
    move = Move(roomy, hints={'group': group}).migrate()
    if kind == 'revert':
        move.moved().revert().place().done().done(vm_state='active')
    else:
        move.place().done().fail().done(vm_state='active')
    assert members(move, group) == ('b',) and move.is_as_it_was()


def test_the_only_member_of_an_affinity_group_may_leave(roomy: Controller) -> None:
    group = group_of(roomy, 'affinity')
    move = Move(roomy, hints={'group': group}).migrate().moved()
    assert move.server.host == 'c' and sorted(members(move, group)) == ['b', 'c']


def test_a_member_of_an_affinity_group_stays_with_the_others(roomy: Controller) -> None:
    group = group_of(roomy, 'affinity')
    move, _ = Move(roomy, hints={'group': group}), Move(roomy, hints={'group': group})
    move.migrate().place()
    assert move.operation.error is not None and 'affinity group' in move.operation.error.message
    assert members(move, group) == ('b', 'b') and move.server.vm_state == 'active'


# -- what fails --

@pytest.mark.parametrize('vm_state', ['active', 'stopped'])
@pytest.mark.parametrize('flavor', [LARGE, SMALL])
def test_a_failure_at_the_destination_takes_all_back(roomy: Controller, flavor: str, vm_state: str) -> None:
    move = Move(roomy, vm_state).resize(flavor).place().done(power_state=4).fail()
    assert (move.operation.state, move.operation.host) == (UNDOING, 'b')
    assert move.claims == {'current': 'b', 'incoming': 'c'}, 'until it is undone'
    move.done(power_state=1, vm_state=vm_state)
    assert move.is_as_it_was('disk_full', vm_state) and move.status == 'error' and move.server.power_state == 1


def test_a_failure_at_the_source_takes_all_back(move: Move) -> None:
    move.resize().place().fail()
    assert move.is_as_it_was('disk_full') and move.status == 'error'


def test_what_cannot_be_undone_leaves_the_server_in_error_without_the_claim(move: Move) -> None:
    move.resize().place().done().fail()
    move.begin('b')
    move.controller.overdue(move.number, deadline_at=LONG_AGO)
    move.fail(begun=True)
    assert move.is_as_it_was('undo_failed', 'error') and move.status == 'error'


@pytest.mark.parametrize('when', ['queued', 'placed', 'left', 'undoing', 'resized'])
def test_a_delete_in_the_midst_leaves_nothing(move: Move, when: str) -> None:
    move.resize()
    {'queued': lambda: move, 'placed': move.place, 'left': lambda: move.place().done(),
     'undoing': lambda: move.place().done().fail(), 'resized': move.moved}[when]()
    move.number = move.controller.delete(move.key).id
    move.place()
    while move.operation.state != DONE:
        move.done()
    assert move.server.deleted and move.claims == {} and move.charged == (0, 0)
    assert move.status == ('confirmed' if when == 'resized' else 'error')


def test_a_delete_while_the_scheduler_chooses_leaves_nothing(move: Move) -> None:
    select = move.controller.rpc.answers['select']

    def late(spec: Any) -> Any:
        move.controller.delete(move.key)
        return select(spec)
    move.controller.rpc.answers['select'] = late
    move.migrate().place()
    assert move.claims == {'current': 'b'} and told(move) == [None]
    move.number = move.controller.newest(move.key).id
    move.place().done()
    assert move.server.deleted and move.claims == {} and move.status == 'error'
