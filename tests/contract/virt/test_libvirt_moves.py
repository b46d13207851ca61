"""Moves of the libvirt driver, on real files and a libvirtd in memory, also of a worker that is killed meanwhile."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from compute import exception, states
from compute.virt.driver import Guest
from compute.virt.libvirt.driver import LibvirtDriver
from tests.contract.virt import fake_libvirt
from tests.contract.virt.bed import Bed
from tests.contract.virt.killing import Steps
from tests.contract.virt.moves import (
    GIB,
    MovedDisksContract,
    MovesContract,
    fetched,
    holds,
    size_of,
    with_flavor,
    write,
)

pytestmark = pytest.mark.skipif(shutil.which('qemu-io') is None, reason='needs qemu-io')
DATA = bytes(65536)


@pytest.fixture
def connection() -> fake_libvirt.Connection:
    return fake_libvirt.Connection()


@pytest.fixture
def bed(tmp_path: pathlib.Path, connection: fake_libvirt.Connection) -> Iterator[Bed]:
    root = tmp_path / 'instances'
    bed = Bed(fake_libvirt.make_driver(root, connection), [], DATA, print)
    yield bed
    bed.close()
    assert [path.name for path in root.iterdir()] == ['_base'] and not connection.domains


class TestLibvirtMoves(MovesContract, MovedDisksContract):
    """The part of the contract that is about moves."""


def test_a_kernel_and_a_ram_disk_come_along(bed: Bed, tmp_path: pathlib.Path) -> None:
    guest, source = bed.with_kernel()
    bed.driver.prepare(guest.instance, source)
    bed.driver.spawn(guest)
    bed.driver.power_off(guest.instance, 0)
    folder = tmp_path / 'instances' / guest.instance.uuid
    told = {name: (folder / name).read_bytes() for name in ('kernel', 'ramdisk')}
    files = bed.driver.moves.set_aside(guest.instance)
    for given in (files, {'disk': files['disk']}):
        bed.driver.moves.adopt(guest, given)
        assert {name: (folder / name).read_bytes() for name in told} == told
    (tmp_path / 'other').write_bytes(b'of a host that is not believed')
    bed.driver.moves.adopt(guest, {**files, 'kernel': tmp_path / 'other'})
    assert (folder / 'kernel').read_bytes() == told['kernel']
    assert guest.instance.image is not None and guest.instance.image.kernel is not None
    for path in (tmp_path / 'instances/_base').glob(f'{guest.instance.image.kernel.id}*'):
        path.unlink()
    bed.driver.moves.adopt(guest, files)
    assert (folder / 'kernel').read_bytes() == told['kernel']


# -- a worker that is killed --


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch, bed: Bed) -> Steps:
    return Steps(monkeypatch)


class Scene:
    """A guest with data on its disk, and a worker that starts again whenever it is asked for."""

    def __init__(self, bed: Bed, root: pathlib.Path, connection: fake_libvirt.Connection) -> None:
        self._bed, self._root, self._connection = bed, root, connection
        self.guest = bed.stopped(flavor={'ephemeral_gb': 1})
        self.larger = with_flavor(self.guest, root_gb=2, ephemeral_gb=2)
        self.disk = root / self.guest.instance.uuid / 'disk'
        write(self.disk, 0x5a)

    def worker(self) -> LibvirtDriver:
        """Return the driver of a worker that was started again."""
        self._bed.driver = fake_libvirt.make_driver(self._root, self._connection)
        return self._bed.driver  # type: ignore[return-value]

    def aside(self) -> None:
        """Have the guest set aside, and nothing else of it here."""
        self.whole()
        self.worker().moves.set_aside(self.guest.instance)

    def whole(self) -> None:
        """Have the guest here as it was."""
        self.worker().moves.restore(self.guest)
        self.worker().power_off(self.guest.instance, 0)

    def check(self, guest: Guest) -> None:
        """Assert that a guest is here with its data, off, and can be started."""
        driver, instance = self.worker(), guest.instance
        assert driver.guest_info(instance.uuid).power_state == states.SHUTDOWN and holds(self.disk, 0x5a)
        assert size_of(self.disk) == instance.flavor.root_gb * GIB
        driver.power_on(guest)

    def nothing(self) -> None:
        """Assert that nothing of the guest is here, beside what is set aside."""
        assert self.guest.instance.uuid not in self.worker().stored()
        assert not self._connection.domains


@pytest.fixture
def scene(bed: Bed, tmp_path: pathlib.Path, connection: fake_libvirt.Connection) -> Scene:
    return Scene(bed, tmp_path / 'instances', connection)


def test_set_aside_goes_on_where_it_was_cut_off(scene: Scene, steps: Steps) -> None:
    instance = scene.guest.instance
    for _ in steps.each(scene.whole, lambda: scene.worker().moves.set_aside(instance)):
        files = scene.worker().moves.set_aside(instance)
        assert holds(files['disk'], 0x5a) and scene.worker().moves.is_aside(instance)
        scene.nothing()


def test_set_aside_that_was_cut_off_can_be_undone(scene: Scene, steps: Steps) -> None:
    for _ in steps.each(scene.whole, lambda: scene.worker().moves.set_aside(scene.guest.instance)):
        scene.worker().moves.restore(scene.guest)
        scene.check(scene.guest)


def test_restore_goes_on_where_it_was_cut_off(scene: Scene, steps: Steps) -> None:
    def adopted() -> None:
        scene.aside()
        scene.worker().moves.adopt(scene.larger, scene.worker().moves.set_aside(scene.guest.instance))
        scene.worker().power_on(scene.larger)
    for _ in steps.each(adopted, lambda: scene.worker().moves.restore(scene.guest)):
        scene.worker().moves.restore(scene.guest)
        scene.check(scene.guest)


@pytest.mark.parametrize('then', ['again', 'undone', 'destroyed'])
def test_an_adoption_that_was_cut_off(scene: Scene, steps: Steps, then: str) -> None:
    def adopt() -> None:
        driver = scene.worker()
        driver.moves.adopt(scene.larger, driver.moves.set_aside(scene.guest.instance))
    for _ in steps.each(scene.aside, adopt):
        if then == 'again':
            adopt()
            scene.check(scene.larger)
        elif then == 'undone':
            scene.worker().moves.restore(scene.guest)
            scene.check(scene.guest)
        else:
            scene.worker().destroy(scene.guest.instance)
            scene.nothing()


def test_an_adoption_of_fetched_files_that_was_cut_off(scene: Scene, steps: Steps, bed: Bed) -> None:
    kept: dict[str, bytes] = {}
    instance = scene.guest.instance
    for name, path in scene.worker().moves.set_aside(instance).items():
        kept[name] = path.read_bytes() if name != 'disk.eph0' else b''
    files = fetched(bed, scene.guest, scene.worker().moves.set_aside(instance))

    def fetch() -> None:
        scene.worker().destroy(instance)
        scene.worker().moves.incoming(instance)
        for name, path in files.items():
            path.write_bytes(kept[name])

    def adopt() -> None:
        if all(path.exists() for path in files.values()):  # else all was done, but for the removal of the folder
            scene.worker().moves.adopt(scene.larger, files)
    for _ in steps.each(fetch, lambda: scene.worker().moves.adopt(scene.larger, files)):
        adopt()
        scene.check(scene.larger)


def test_what_is_dropped_in_part_is_not_restored(scene: Scene, steps: Steps, bed: Bed) -> None:
    def dropped() -> None:
        scene.worker().moves.drop_aside(instance)

    def adopted() -> None:
        if not scene.worker().moves.is_aside(instance):
            driver = scene.worker()
            driver.power_off(instance, 0)
            driver.moves.set_aside(instance)
            driver.moves.adopt(scene.guest, driver.moves.set_aside(instance))
    instance = scene.guest.instance
    for _ in steps.each(adopted, dropped):
        whole = scene.worker().moves.is_aside(instance)
        if whole:
            assert set(scene.worker().moves.set_aside(instance)) == {'disk', 'disk.eph0', 'console.log'}
        dropped()
        assert not scene.worker().moves.is_aside(instance)
        assert not list(pathlib.Path(str(bed.driver.storage())).glob(f'{instance.uuid}_*'))
        scene.check(scene.guest)
        scene.worker().power_off(instance, 0)


# -- what else goes wrong --


def test_a_guest_that_was_started_meanwhile_is_not_set_aside(scene: Scene, connection: fake_libvirt.Connection,
                                                             monkeypatch: pytest.MonkeyPatch) -> None:
    rename = os.rename

    def started(*args: Any) -> None:
        monkeypatch.setattr(os, 'rename', rename)
        rename(*args)
        connection.lookupByUUIDString(scene.guest.instance.uuid).active = True
    monkeypatch.setattr(os, 'rename', started)
    with pytest.raises(exception.Failed) as caught:
        scene.worker().moves.set_aside(scene.guest.instance)
    assert caught.value.code == 'guest_running' and scene.disk.exists()
    assert not scene.worker().moves.is_aside(scene.guest.instance)


def test_a_config_drive_that_libvirt_has_kept_does_not_hinder_a_move(bed: Bed,
                                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker without privileges may not read it."""
    guest = dataclasses.replace(bed.guest(), config_drive={'a': b'1'})
    bed.driver.spawn(guest)
    bed.driver.power_off(guest.instance, 0)
    access = os.access
    monkeypatch.setattr(os, 'access', lambda path, mode: (
        os.path.basename(path) != 'disk.config' and access(path, mode)))
    files = bed.driver.moves.set_aside(guest.instance)
    assert set(files) == {'disk', 'console.log'}
    bed.driver.moves.adopt(guest, files)
    monkeypatch.undo()
    assert 'disk.config' in bed.driver.moves.set_aside(guest.instance)
    bed.driver.moves.restore(guest)


def test_files_that_cannot_be_removed_are_removed_later(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The move is confirmed: it must not look as if it could still be reverted."""
    instance = scene.guest.instance
    scene.worker().moves.set_aside(instance)

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise OSError(5, os.strerror(5))
    with monkeypatch.context() as patch:
        patch.setattr(os, 'unlink', refuse)
        scene.worker().moves.drop_aside(instance)
        assert not scene.worker().moves.is_aside(instance) and scene.worker().stored() == [instance.uuid]
    scene.nothing()


def test_a_full_disk_may_be_retried_elsewhere_and_leaves_nothing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = scene.worker()
    files = driver.moves.set_aside(scene.guest.instance)
    run = subprocess.run

    def full(command: list[str], *args: Any, **kwargs: Any) -> Any:
        if command[0].endswith('/cp'):
            return subprocess.CompletedProcess(command, 1, '', 'cp: error writing: No space left on device')
        return run(command, *args, **kwargs)
    monkeypatch.setattr(subprocess, 'run', full)
    with pytest.raises(exception.Retry) as caught:
        driver.moves.adopt(scene.larger, files)
    assert caught.value.code == 'disk_full'
    scene.nothing()


def test_a_name_that_only_looks_like_a_guests_is_nobodys(scene: Scene) -> None:
    for name in ('a-b-c-d-e_resize', f'{scene.guest.instance.uuid}_other', 'lost+found'):
        (scene.disk.parent.parent / name).mkdir()
    try:
        assert scene.worker().moves.all_aside() == [] and scene.worker().stored() == [scene.guest.instance.uuid]
    finally:
        for name in ('a-b-c-d-e_resize', f'{scene.guest.instance.uuid}_other', 'lost+found'):
            (scene.disk.parent.parent / name).rmdir()
