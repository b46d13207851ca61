"""Moves on their hosts in the frame of operations: each leg, its undo, its failures, confirmation and reversal."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from compute import exception, states
from compute.objects.kinds.delete import DeleteArgs
from compute.objects.kinds.moving import MoveArgs
from tests.unit.worker.moving import NEW, OLD, UUID, Bed, End, Ledger

Make = Callable[..., Bed]
POWER = {'active': states.RUNNING, 'stopped': states.SHUTDOWN}
each_state = pytest.mark.parametrize('vm_state', POWER)


@pytest.fixture
def make(tmp_path: pathlib.Path) -> Iterator[Make]:
    beds: list[Bed] = []

    def made(*args: Any, **more: Any) -> Bed:
        beds.append(Bed(tmp_path, *args, **more))
        return beds[-1]
    yield made
    for bed in beds:
        bed.close()


@pytest.fixture
def bed(make: Make) -> Bed:
    return make()


def cancel(ledger: Ledger) -> None:
    ledger.stale = True


# -- there --

@each_state
@pytest.mark.parametrize('kind', ['resize', 'migrate'])
def test_a_server_goes_to_another_host(make: Make, kind: str, vm_state: str) -> None:
    bed = make(vm_state)
    left = bed.move(1, kind)
    assert left.update is not None and left.update.power_state == states.SHUTDOWN
    assert left.update.vm_state is None, 'what it is then the ledger decides'
    assert bed.a.power() is None and bed.a.aside and bed.b.power() is None
    arrived = bed.move(2, kind)
    update = arrived.update
    assert update is not None and (update.power_state, update.vm_state, update.launched) == (
        POWER[vm_state], None, True)
    assert update.nics is not None and update.nics[0].port_id == bed.nic.port_id
    assert bed.b.power() == POWER[vm_state] and bed.bound() == 'b' and bed.a.aside, 'until it is confirmed'
    assert bed.b.driver.guest_info(UUID).vcpus == NEW.vcpus


@each_state
def test_a_server_stays_on_its_host(make: Make, vm_state: str) -> None:
    bed = make(vm_state, same=True).settled()
    assert bed.a.power() == POWER[vm_state] and bed.a.aside and bed.bound() == 'a'
    assert bed.a.driver.guest_info(UUID).vcpus == NEW.vcpus


@pytest.mark.parametrize('leg', [1, 2])
@pytest.mark.parametrize('same', [False, True])
def test_a_leg_that_was_cut_off_goes_on(make: Make, leg: int, same: bool) -> None:
    bed = make(same=same)
    if leg == 2:
        bed.move(1)
    bed.move(leg)
    stage = 'resize_migrating' if leg == 1 else 'resize_finish'
    assert bed.move(leg, stage=stage, recover=True).error is None
    if leg == 1:
        bed.move(2)
    assert bed.destination.power() == states.RUNNING and bed.a.aside


# -- failures and undo --

@each_state
def test_what_the_source_cannot_do_it_takes_back_itself(make: Make, vm_state: str) -> None:
    bed = make(vm_state)
    bed.a.fail('set_aside')
    end = bed.move(1)
    assert end.error is not None and (end.error.code, end.error.left_behind) == ('disk_full', False)
    assert end.update is not None and (end.update.power_state, end.update.vm_state) == (POWER[vm_state], vm_state)
    assert bed.is_back(POWER[vm_state])


@pytest.mark.parametrize('method', ['adopt', 'power_on', 'prepare'])
def test_what_the_destination_cannot_do_leaves_nothing_there(bed: Bed, method: str) -> None:
    bed.move(1)
    bed.b.fail(method)
    end = bed.move(2)
    assert end.error is not None and (end.error.code, end.error.left_behind, end.update) == ('disk_full', False, None)
    assert bed.b.power() is None and bed.a.aside


def test_what_the_destination_cannot_remove_is_told(bed: Bed) -> None:
    bed.move(1)
    bed.b.fail('power_on')
    bed.b.fail('destroy', 'disk_remove')
    end = bed.move(2)
    assert end.error is not None and (end.error.code, end.error.left_behind) == ('disk_full', True)
    assert bed.move(2, undo=True).undone and bed.b.power() is None


@each_state
@pytest.mark.parametrize('same', [False, True])
def test_undone_the_server_is_as_it_was(make: Make, vm_state: str, same: bool) -> None:
    bed = make(vm_state, same=same)
    bed.move(1)
    bed.move(2)
    for _ in range(2):  # an answer that was lost
        end = bed.move(2, undo=True)
        assert end.undone and end.error is None
    assert bed.b.power() is None and bed.a.aside, 'the guest waits for the undo of the first leg'
    for _ in range(2):
        end = bed.move(1, undo=True)
        assert end.undone and end.update is not None
        assert (end.update.power_state, end.update.vm_state) == (POWER[vm_state], vm_state)
        assert bed.is_back(POWER[vm_state])


@pytest.mark.parametrize('same', [False, True])
def test_the_undo_of_a_leg_that_did_nothing_changes_nothing(make: Make, same: bool) -> None:
    bed = make(same=same)
    bed.move(2, undo=True)
    bed.move(1, undo=True)
    assert bed.is_back(states.RUNNING)


def test_an_undo_at_the_source_that_fails_is_told_and_can_be_done_again(bed: Bed) -> None:
    bed.move(1)
    bed.a.fail('restore')
    end = bed.move(1, undo=True)
    assert end.error is not None and end.error.code == 'disk_full' and bed.a.aside
    assert bed.move(1, undo=True).undone and bed.is_back(states.RUNNING)


def test_cancelled_in_the_midst_the_destination_has_nothing_and_the_source_keeps_what_is_aside(bed: Bed) -> None:
    """A delete visits both hosts: nobody starts the guest meanwhile."""
    bed.move(1)
    args = MoveArgs(flavor=NEW, vm_state='active')
    assert bed.run(bed.b, 'resize', 2, args, at={'resize_finish': cancel}) is None
    assert bed.b.power() is None and bed.a.power() is None and bed.a.aside
    for site in (bed.a, bed.b):
        end = bed.run(site, 'delete', args=DeleteArgs())
        assert end is not None and end.error is None
        assert site.power() is None and not site.aside


# -- Network --

@pytest.mark.parametrize('what', ['arrive', 'undo', 'revert'])
def test_a_guest_does_not_start_with_ports_of_another_host(bed: Bed, what: str) -> None:
    """While Network does not answer, a server may start with the ports that are known, but not at a new place."""
    if what == 'revert':
        bed.settled().revert(0)
    else:
        bed.move(1)
    if what == 'undo':
        bed.move(2)
        bed.move(2, undo=True)
    bed.networks.refuse(exception.Unavailable('no answer', code='network_unavailable'))
    go_on: Callable[[], End | None] = {
        'arrive': lambda: bed.move(2), 'undo': lambda: bed.move(1, undo=True), 'revert': lambda: bed.revert(1)}[what]
    end = go_on()
    assert end is not None and end.error is not None and end.error.code == 'network_unavailable'
    assert bed.b.power() is None and bed.a.power() is None and bed.a.aside
    bed.networks.refuse(None)
    end = go_on()
    assert end is not None and end.error is None
    assert bed.bound() == ('b' if what == 'arrive' else 'a')


def test_a_port_that_cannot_be_bound_at_the_destination_fails_the_leg(bed: Bed) -> None:
    bed.move(1)
    bed.networks.broken_hosts.add('b')
    end = bed.move(2)
    assert end.error is not None and end.error.code == 'port_binding_failed' and bed.b.power() is None


# -- confirmation --

@pytest.mark.parametrize('same', [False, True])
def test_confirmed_the_old_place_has_nothing(make: Make, same: bool) -> None:
    bed = make(same=same).settled()
    for _ in range(2):
        end = bed.confirm()
        assert end is not None and end.error is None and end.update is not None and end.update.vm_state is None
        assert not bed.a.aside and bed.destination.power() == states.RUNNING
        assert bed.destination.driver.guest_info(UUID).vcpus == NEW.vcpus


def test_a_confirmation_that_fails_says_nothing_of_the_server(bed: Bed) -> None:
    bed.settled()
    bed.a.fail('drop_aside')
    end = bed.confirm()
    assert end is not None and end.error is not None and end.update is None and bed.a.aside
    assert bed.b.power() == states.RUNNING


# -- reversal --

@each_state
@pytest.mark.parametrize('same', [False, True])
def test_reverted_the_server_is_as_it_was(make: Make, vm_state: str, same: bool) -> None:
    bed = make(vm_state, same=same).settled()
    for _ in range(2):
        end = bed.revert(0)
        assert end is not None and end.update is not None and end.update.power_state == states.SHUTDOWN
        assert bed.destination.power() is None and bed.a.aside
    for _ in range(2):
        end = bed.revert(1)
        assert end is not None and end.update is not None and end.update.nics is not None
        assert (end.update.vm_state, end.update.power_state) == (vm_state, POWER[vm_state])
        assert bed.is_back(POWER[vm_state]) and OLD.vcpus != NEW.vcpus


@pytest.mark.parametrize('same', [False, True])
def test_a_reversal_that_fails_at_the_new_place_does_not_change_what_the_server_is(make: Make, same: bool) -> None:
    """It is resized still, and not active: else nobody could confirm or revert it."""
    bed = make(same=same).settled()
    bed.destination.fail('destroy', 'disk_remove')
    end = bed.revert(0)
    assert end is not None and end.error is not None and end.error.code == 'disk_remove'
    assert end.update is not None and (end.update.vm_state, end.update.power_state) == (None, states.RUNNING)


@pytest.mark.parametrize('method', ['restore', 'power_on'])
def test_a_reversal_that_fails_at_the_old_place_can_be_mended_there(bed: Bed, method: str) -> None:
    """The server is in ERROR then. A hard reboot makes the guest from what is set aside, if it is still."""
    bed.settled().revert(0)
    bed.a.fail(method)
    end = bed.revert(1)
    assert end is not None and end.error is not None and end.error.code == 'disk_full'
    assert bed.a.aside is (method == 'restore')
    bed.instance = dataclasses.replace(bed.instance, host='a', flavor=OLD)
    end = bed.run(bed.a, 'reboot_hard')
    assert end is not None and end.error is None and bed.is_back(states.RUNNING)


def test_a_hard_reboot_leaves_what_waits_for_a_decision_alone(make: Make) -> None:
    """Old and new size are on one host: the guest is the new one."""
    bed = make(same=True).settled()
    end = bed.run(bed.a, 'reboot_hard')
    assert end is not None and end.error is None
    assert bed.a.aside and bed.a.driver.guest_info(UUID).vcpus == NEW.vcpus
