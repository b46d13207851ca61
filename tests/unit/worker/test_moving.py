"""Disks move between two hosts, also where a worker ends in the midst, or the image service has lost the image."""

from __future__ import annotations

import dataclasses
import pathlib
import shutil
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from compute import exception, states
from compute.objects.kinds.delete import DeleteArgs
from compute.objects.kinds.kind import DESTINATION, HOST, SOURCE
from compute.objects.registration import Registration
from compute.virt.libvirt.qcow2 import backing_file
from compute.worker.recovery import Recovery
from tests.contract.virt.killing import Steps
from tests.contract.virt.moves import GIB, holds, size_of
from tests.unit.worker.two_hosts import Move

pytestmark = pytest.mark.skipif(shutil.which('qemu-io') is None, reason='needs qemu-io')


@pytest.fixture
def move(tmp_path: pathlib.Path) -> Iterator[Move]:
    move = Move(tmp_path)
    yield move
    move.close()


def arrived(move: Move) -> bool:
    """Return whether the guest runs at the destination with its data, and nowhere else."""
    disk = move.b.disk(move.instance)
    base = backing_file(disk)
    return (move.power(move.b) == states.RUNNING and move.power(move.a) is None and holds(disk, 0x5a)
            and size_of(disk) == 2 * GIB and base is not None and base.startswith(str(move.b.root))
            and move.b.folders(move.instance) == [''])


def is_back(move: Move) -> bool:
    """Return whether the guest runs at the source as it was, and the destination has nothing of it."""
    disk = move.a.disk(move.instance)
    return (move.power(move.a) == states.RUNNING and holds(disk, 0x5a) and size_of(disk) == GIB
            and move.a.folders(move.instance) == [''] and move.b.folders(move.instance) == []
            and move.power(move.b) is None)


def test_disks_move_and_the_source_keeps_them_until_it_is_confirmed(move: Move) -> None:
    move.leave()
    assert move.power(move.a) is None and move.a.folders(move.instance) == ['_resize']
    assert move.arrive().power_state == states.RUNNING
    assert arrived(move) and not move.a.transfers.active()
    assert move.a.folders(move.instance) == ['_resize']
    move.confirm()
    assert move.a.folders(move.instance) == [] and arrived(move)


def test_a_move_is_reverted(move: Move) -> None:
    move.leave()
    move.arrive()
    move.revert()
    assert is_back(move)


def test_what_failed_is_undone(move: Move) -> None:
    move.leave()
    assert move.a.transfers.active() == 1
    move.undo(DESTINATION)
    move.undo(SOURCE)
    assert is_back(move) and not move.a.transfers.active()


@pytest.mark.parametrize('end', ['confirm', 'delete', 'restart'])
def test_an_offer_is_withdrawn_with_its_server(move: Move, end: str) -> None:
    move.leave()
    if end == 'confirm':
        move.confirm()
    elif end == 'delete':
        move.a.handlers['delete'].run(move.job('delete', HOST, DeleteArgs()))
        assert move.a.folders(move.instance) == []
    else:
        move.a.restart()
    assert not move.a.transfers.active()
    move.conf.set_override('patience', 0, 'worker')
    with pytest.raises(exception.Unavailable) as caught:
        move.arrive()
    assert caught.value.code == 'transfer_interrupted'
    move.undo(DESTINATION)
    assert move.b.folders(move.instance) == []


def test_one_host_transfers_nothing(move: Move) -> None:
    move.plan = dataclasses.replace(move.plan, destination='a', destination_address=None)
    move.leave()
    assert move.plan.offer is None and not move.a.transfers.active()


def test_a_destination_without_an_address_is_refused_and_undone(move: Move) -> None:
    move.plan = dataclasses.replace(move.plan, destination_address=None)
    with pytest.raises(exception.Failed) as caught:
        move.leave()
    assert caught.value.code == 'transfer_refused' and 'b has reported no address' in caught.value.message
    move.undo(SOURCE)
    assert is_back(move)


def test_a_fetch_can_be_cancelled(move: Move) -> None:
    move.leave()
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(exception.Stale):
        move.arrive(cancelled=cancelled)
    assert move.power(move.b) is None


# -- the image --


def test_an_image_that_the_service_lost_comes_from_the_source(move: Move) -> None:
    image = move.instance.image
    assert image is not None
    move.leave()
    move.images.remove(image.id)
    move.arrive()
    assert arrived(move)


def test_the_image_of_the_source_is_not_believed(move: Move) -> None:
    image = move.instance.image
    assert image is not None
    path = move.a.driver.cached_images(move.instance)[image.id]
    path.write_bytes(path.read_bytes()[:-1] + b'x')
    move.leave()
    move.images.remove(image.id)
    with pytest.raises(exception.Failed) as caught:
        move.arrive()
    assert caught.value.code == 'image_corrupt'
    move.undo(DESTINATION)
    move.undo(SOURCE)
    assert is_back(move)


def test_an_image_service_that_does_not_answer_is_waited_for(move: Move) -> None:
    move.leave()
    move.images.refuse(exception.Unavailable('it restarts', code='image_unavailable'))
    with pytest.raises(exception.Unavailable, match='it restarts'):
        move.arrive()
    move.images.refuse(None)
    assert move.arrive('resize_migrated').power_state == states.RUNNING
    assert arrived(move)


# -- a worker that is killed --


def test_a_destination_that_was_killed_goes_on(move: Move, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not begin anew: the offer can be fetched only once."""
    steps = Steps(monkeypatch)

    def left() -> None:
        if move.power(move.b) is not None:
            move.revert()
        move.leave()
    for _ in steps.each(left, move.arrive):
        move.b.restart()
        assert move.arrive('resize_migrated').power_state == states.RUNNING
        assert arrived(move)


def test_a_destination_that_was_killed_can_be_undone(move: Move, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(monkeypatch)

    def left() -> None:
        move.b.driver.destroy(move.instance)
        move.a.driver.moves.restore(move.guest)
        move.leave()
    for _ in steps.each(left, move.arrive):
        move.b.restart()
        move.undo(DESTINATION)
        move.undo(SOURCE)
        assert is_back(move)


def test_a_source_that_was_killed_goes_on(move: Move, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(monkeypatch)
    for _ in steps.each(lambda: move.a.driver.moves.restore(move.guest), move.leave):
        move.a.restart()
        move.leave()
        move.arrive()
        assert arrived(move)
        move.revert()


def test_a_guest_that_runs_already_is_not_adopted_again(move: Move) -> None:
    """A report of the end that no conductor heard is sent again: what the guest wrote since is kept."""
    move.leave()
    move.arrive()
    domain = move.b.connection.lookupByUUIDString(move.instance.uuid)
    move.arrive('resize_finish')
    assert arrived(move) and move.b.connection.lookupByUUIDString(move.instance.uuid) is domain


def test_what_a_guest_of_before_left_is_not_taken_for_the_one_that_moves(move: Move) -> None:
    move.b.driver.prepare(move.instance, lambda image_id: move.images.download(None, image_id))
    move.b.driver.spawn(move.guest)
    move.leave()
    move.arrive()
    assert arrived(move)


def test_a_reversal_on_one_host_needs_what_was_set_aside(move: Move) -> None:
    move.plan = dataclasses.replace(move.plan, destination='a')
    move.b = move.a
    with pytest.raises(exception.Failed) as caught:
        move.revert()
    assert caught.value.code == 'disk_missing' and move.power(move.a) == states.RUNNING


def test_what_a_move_left_is_removed_when_its_host_returns(move: Move) -> None:
    """The move was undone without the destination: what it had fetched would lie there for ever."""
    move.leave()
    folder = move.b.driver.moves.incoming(move.instance)
    assert folder is not None and move.b.driver.moves.all_incoming() == [move.instance.uuid]
    (folder / 'disk.part').write_bytes(b'half of it')
    move.conf.set_override('resume_guests', False, 'worker')
    idle: Any = SimpleNamespace(run=lambda: None, look=print)
    for site in (move.a, move.b):
        Recovery(move.conf, site.driver, idle, idle, idle).run(Registration(
            service_uuid='s', left_aside=(move.instance.uuid,)))
        assert site.folders(move.instance) == []
