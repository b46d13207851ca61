"""Pause, unpause, suspend and resume on their host in the frame of operations."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator

import pytest

from compute import exception, states
from tests.unit.worker.moving import UUID, Bed, End

# kind: what the guest has to be before, and what is reported of it afterwards.
KINDS = {'pause': (states.RUNNING, 'paused', states.PAUSED), 'unpause': (states.PAUSED, 'active', states.RUNNING),
         'suspend': (states.RUNNING, 'suspended', states.SHUTDOWN), 'resume': (None, 'active', states.RUNNING)}
each = pytest.mark.parametrize('kind', KINDS)


@pytest.fixture
def bed(tmp_path: pathlib.Path) -> Iterator[Bed]:
    made = Bed(tmp_path)
    yield made
    made.close()


def ready(bed: Bed, kind: str) -> None:
    """Let the guest be what an operation of this kind begins with."""
    if kind == 'unpause':
        bed.a.driver.power.pause(bed.instance)
    if kind == 'resume':
        bed.a.driver.power.suspend(bed.instance)


def run(bed: Bed, kind: str, *, recover: bool = False) -> End:
    end = bed.run(bed.a, kind, recover=recover)
    assert end is not None
    return end


@each
def test_what_the_guest_is_and_what_is_reported(bed: Bed, kind: str) -> None:
    ready(bed, kind)
    for recover in (False, True):  # what was done already is left alone
        end = run(bed, kind, recover=recover)
        assert end.error is None and end.update is not None
        assert (end.update.vm_state, end.update.power_state, end.update.clear_fault) == (*KINDS[kind][1:], True)
        assert bed.a.power() == KINDS[kind][2]


@each
def test_a_failure_tells_how_the_guest_really_is(bed: Bed, kind: str) -> None:
    ready(bed, kind)
    bed.a.fail(kind, 'libvirt')
    end = run(bed, kind)
    assert end.error is not None and (end.error.code, end.error.stage) == ('libvirt', {
        'pause': 'pausing', 'unpause': 'unpausing', 'suspend': 'suspending', 'resume': 'resuming'}[kind])
    before = {'pause': ('active', states.RUNNING), 'unpause': ('paused', states.PAUSED),
              'suspend': ('active', states.RUNNING), 'resume': ('suspended', states.SHUTDOWN)}[kind]
    assert end.update is not None and (end.update.vm_state, end.update.power_state) == before
    assert run(bed, kind).error is None


@pytest.mark.parametrize('kind', ['pause', 'unpause', 'suspend'])
def test_a_guest_that_is_off_is_told(bed: Bed, kind: str) -> None:
    bed.a.driver.power_off(bed.instance, 0)
    end = run(bed, kind)
    assert end.error is not None and end.error.code == 'guest_not_running'
    assert end.update is not None and (end.update.vm_state, end.update.power_state) == ('stopped', states.SHUTDOWN)


@each
def test_a_guest_that_is_not_there_is_told(bed: Bed, kind: str) -> None:
    bed.a.driver.destroy(bed.instance)
    end = run(bed, kind)
    assert end.error is not None and end.error.code == 'guest_not_found' and end.update is None


def test_a_server_whose_memory_is_lost_boots(bed: Bed) -> None:
    bed.a.driver.power.suspend(bed.instance)
    boots = bed.a.driver._store.guests[UUID].boots
    bed.a.driver._store.guests[UUID].saved = False
    assert run(bed, 'resume').error is None
    assert bed.a.driver._store.guests[UUID].boots == boots + 1


def test_a_server_that_is_resumed_does_not_boot(bed: Bed) -> None:
    bed.a.driver.power.suspend(bed.instance)
    boots = bed.a.driver._store.guests[UUID].boots
    run(bed, 'resume')
    assert bed.a.driver._store.guests[UUID].boots == boots


def test_ports_are_bound_again_before_it_is_resumed(bed: Bed) -> None:
    bed.a.driver.power.suspend(bed.instance)
    bed.networks.change_port(bed.nic.port_id, **{'binding:host_id': 'elsewhere'})
    end = run(bed, 'resume')
    assert end.update is not None and bed.bound() == 'a'
    assert run(bed, 'resume').update == dataclasses.replace(end.update, nics=None), 'they are told if they changed'


def test_a_port_that_cannot_be_bound_keeps_it_suspended(bed: Bed) -> None:
    bed.a.driver.power.suspend(bed.instance)
    bed.networks.change_port(bed.nic.port_id, **{'binding:host_id': 'elsewhere'})
    bed.networks.broken_hosts.add('a')
    end = run(bed, 'resume')
    assert end.error is not None and end.error.code == 'port_binding_failed'
    assert end.update is not None and end.update.vm_state == 'suspended' and bed.a.power() == states.SHUTDOWN
    bed.networks.broken_hosts.clear()
    assert run(bed, 'resume').error is None


def test_network_that_does_not_answer_does_not_keep_it_suspended(bed: Bed) -> None:
    bed.a.driver.power.suspend(bed.instance)
    bed.networks.refuse(exception.Unavailable('no answer'))
    assert run(bed, 'resume').error is None and bed.a.power() == states.RUNNING
    bed.networks.refuse(None)


@pytest.mark.parametrize('kind', ['pause', 'suspend'])
def test_a_hard_reboot_starts_it_anew(bed: Bed, kind: str) -> None:
    run(bed, kind)
    assert run(bed, 'reboot_hard').error is None and bed.a.power() == states.RUNNING
    assert not bed.a.driver._store.guests[UUID].saved, 'its saved memory is dropped'
