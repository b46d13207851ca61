"""What every driver must do to take a guest from one host to another, or to give it another size.

``MovedDisksContract`` is for drivers whose guests have disks in files.
"""

from __future__ import annotations

import dataclasses
import pathlib
import shutil
import subprocess

import pytest

from compute import exception, states
from compute.objects.nic import Nic
from compute.virt.driver import Guest
from compute.virt.libvirt.qcow2 import backing_file
from tests.contract.virt.bed import Bed
from tests.contract.virt.making import make_guest

GIB, MIB = 1024 ** 3, 1024 ** 2
UNBOUND = Nic(port_id='p-1', network_id='n-1', mac='52:54:00:00:00:01', vif_type='unbound')


def with_flavor(guest: Guest, **values: int) -> Guest:
    """Return a guest as it is with another flavor."""
    instance = guest.instance
    return dataclasses.replace(guest, instance=dataclasses.replace(
        instance, flavor=dataclasses.replace(instance.flavor, **values)))


class MovesContract:
    """Take a guest that is off from one host to another, or give it another size, and back."""

    def test_a_running_guest_is_not_set_aside(self, bed: Bed) -> None:
        guest = bed.spawned()
        with pytest.raises(exception.Failed) as caught:
            bed.driver.moves.set_aside(guest.instance)
        assert caught.value.code == 'guest_running' and guest.instance.uuid in caught.value.message
        assert bed.state(guest) == states.RUNNING and not bed.driver.moves.is_aside(guest.instance)

    def test_a_guest_that_does_not_exist_is_not_found(self, bed: Bed) -> None:
        guest = make_guest()
        with pytest.raises(exception.NotFound) as caught:
            bed.driver.moves.set_aside(guest.instance)
        assert guest.instance.uuid in caught.value.message and not bed.driver.moves.is_aside(guest.instance)

    def test_what_is_set_aside_is_no_guest_of_the_host(self, bed: Bed) -> None:
        guest = bed.stopped()
        first, second = (bed.driver.moves.set_aside(guest.instance) for _ in range(2))
        assert first == second and bed.driver.moves.is_aside(guest.instance)
        assert guest.instance.uuid in bed.driver.moves.all_aside()
        assert guest.instance.uuid not in [info.uuid for info in bed.driver.guests()]
        assert guest.instance.uuid not in bed.driver.stored()

    def test_it_is_adopted_with_its_new_size(self, bed: Bed) -> None:
        guest = bed.stopped()
        larger = with_flavor(guest, vcpus=2, memory_mb=96)
        files = bed.driver.moves.set_aside(guest.instance)
        for _ in range(2):
            bed.driver.moves.adopt(larger, files)
            info = bed.driver.guest_info(guest.instance.uuid)
            assert (info.power_state, info.vcpus, info.memory_mb) == (states.SHUTDOWN, 2, 96)
            assert (info.name, info.ours) == (guest.instance.guest_name, True)
        assert bed.driver.moves.set_aside(guest.instance) == files and bed.state(guest) == states.SHUTDOWN
        bed.driver.power_on(larger)
        assert bed.state(guest) == states.RUNNING and bed.driver.vnc_address(guest.instance).port

    def test_an_adopted_guest_replaces_one_that_a_cut_off_attempt_left(self, bed: Bed) -> None:
        guest = bed.stopped()
        files = bed.driver.moves.set_aside(guest.instance)
        bed.driver.moves.adopt(guest, files)
        bed.driver.power_on(guest)
        bed.driver.moves.adopt(guest, files)
        assert bed.state(guest) == states.SHUTDOWN

    def test_what_cannot_be_adopted_leaves_nothing(self, bed: Bed) -> None:
        guest = bed.stopped()
        files = bed.driver.moves.set_aside(guest.instance)
        with pytest.raises(exception.Failed) as caught:
            bed.driver.moves.adopt(dataclasses.replace(guest, nics=(UNBOUND,)), files)
        assert caught.value.code == 'port_binding_failed'
        assert guest.instance.uuid not in [info.uuid for info in bed.driver.guests()]
        assert guest.instance.uuid not in bed.driver.stored() and bed.driver.moves.is_aside(guest.instance)

    def test_it_is_restored_as_it_was(self, bed: Bed) -> None:
        guest = bed.stopped()
        files = bed.driver.moves.set_aside(guest.instance)
        larger = with_flavor(guest, vcpus=2)
        bed.driver.moves.adopt(larger, files)
        bed.driver.power_on(larger)
        bed.driver.destroy(guest.instance)
        for _ in range(2):
            bed.driver.moves.restore(guest)
            info = bed.driver.guest_info(guest.instance.uuid)
            assert (info.power_state, info.vcpus) == (states.SHUTDOWN, 1)
            assert not bed.driver.moves.is_aside(guest.instance)
            assert guest.instance.uuid not in bed.driver.moves.all_aside()
        bed.driver.power_on(guest)
        assert bed.state(guest) == states.RUNNING

    def test_restoring_removes_what_took_its_place(self, bed: Bed) -> None:
        guest = bed.stopped()
        larger = with_flavor(guest, vcpus=2)
        bed.driver.moves.adopt(larger, bed.driver.moves.set_aside(guest.instance))
        bed.driver.power_on(larger)
        bed.driver.moves.restore(guest)
        assert bed.driver.guest_info(guest.instance.uuid).vcpus == 1 and bed.state(guest) == states.SHUTDOWN

    def test_a_guest_that_was_not_set_aside_is_not_changed_by_a_restore(self, bed: Bed) -> None:
        guest, other = bed.spawned(), make_guest()
        bed.driver.moves.restore(guest)
        bed.driver.moves.restore(other)
        assert bed.state(guest) == states.RUNNING
        with pytest.raises(exception.NotFound):
            bed.driver.guest_info(other.instance.uuid)

    def test_what_is_dropped_is_gone_and_the_adopted_guest_stays(self, bed: Bed) -> None:
        guest = bed.stopped()
        bed.driver.moves.adopt(guest, bed.driver.moves.set_aside(guest.instance))
        bed.driver.power_on(guest)
        for _ in range(2):
            bed.driver.moves.drop_aside(guest.instance)
            assert not bed.driver.moves.is_aside(guest.instance)
        assert bed.state(guest) == states.RUNNING and guest.instance.uuid in bed.driver.stored()

    def test_destroy_spares_what_is_set_aside(self, bed: Bed) -> None:
        guest = bed.stopped()
        bed.driver.moves.set_aside(guest.instance)
        bed.driver.moves.drop_incoming(guest.instance)
        bed.driver.moves.incoming(guest.instance)
        for _ in range(2):
            bed.driver.destroy(guest.instance)
            assert bed.driver.moves.is_aside(guest.instance)
        assert guest.instance.uuid not in bed.driver.stored()
        bed.driver.moves.restore(guest)
        assert bed.state(guest) == states.SHUTDOWN

    def test_what_is_fetched_has_a_folder_of_its_own(self, bed: Bed) -> None:
        guest = bed.guest()
        folder = bed.driver.moves.incoming(guest.instance)
        assert folder == bed.driver.moves.incoming(guest.instance)
        for _ in range(2):
            assert folder is None or folder.is_dir()
            assert bed.driver.moves.all_incoming() == ([] if folder is None else [guest.instance.uuid])
            bed.driver.moves.drop_incoming(guest.instance)
            assert bed.driver.moves.all_incoming() == [] and (folder is None or not folder.exists())
            bed.driver.moves.incoming(guest.instance)
        bed.driver.destroy(guest.instance)
        assert folder is None or not folder.exists()

    def test_the_image_of_what_is_set_aside_does_not_expire(self, bed: Bed) -> None:
        guest, idle = bed.stopped(), bed.guest()
        assert guest.instance.image is not None and idle.instance.image is not None
        bed.driver.moves.set_aside(guest.instance)
        gone = bed.driver.expire_images(0)
        assert idle.instance.image.id in gone and guest.instance.image.id not in gone


def write(disk: pathlib.Path, pattern: int, at: str = '256k') -> None:
    """Write 64 KiB of one byte into the qcow2 of a guest that is off, as the guest would have."""
    subprocess.run(['qemu-io', '-f', 'qcow2', '-c', f'write -P {pattern} {at} 64k', str(disk)], check=True,
                   capture_output=True)


def holds(disk: pathlib.Path, pattern: int, at: str = '256k') -> bool:
    """Return whether such data is in a qcow2."""
    done = subprocess.run(['qemu-io', '-f', 'qcow2', '-c', f'read -P {pattern} {at} 64k', str(disk)], check=True,
                          capture_output=True, text=True)
    return 'verification failed' not in done.stdout


def size_of(disk: pathlib.Path) -> int:
    """Return the size of the disk that a qcow2 is."""
    shown = subprocess.run(['qemu-img', 'info', '-f', 'qcow2', str(disk)], check=True, capture_output=True, text=True)
    return int(shown.stdout.partition('(')[2].partition(' bytes')[0])


def fetched(bed: Bed, guest: Guest, files: dict[str, pathlib.Path]) -> dict[str, pathlib.Path]:
    """Return files as another host has them after it fetched them; those that were set aside are gone."""
    folder = bed.driver.moves.incoming(guest.instance)
    assert folder is not None
    for name, path in files.items():
        shutil.copyfile(path, folder / name)
    bed.driver.moves.drop_aside(guest.instance)
    return {name: folder / name for name in files}


class MovedDisksContract:
    """What becomes of the disks."""

    def test_data_survives_and_the_old_disk_stays_as_it_was(self, bed: Bed) -> None:
        guest = bed.stopped()
        write(_disk(bed, guest), 0x5a)
        aside = bed.driver.moves.set_aside(guest.instance)['disk']
        larger = with_flavor(guest, root_gb=3)
        for _ in range(2):
            bed.driver.moves.adopt(larger, {'disk': aside})
            disk = _disk(bed, guest)
            assert holds(disk, 0x5a) and (size_of(disk), size_of(aside)) == (3 * GIB, GIB)
            write(disk, 0xa5, '2G')
        write(disk, 0xa5)
        assert holds(aside, 0x5a)
        bed.driver.moves.restore(guest)
        assert holds(disk, 0x5a) and size_of(disk) == GIB and not aside.exists()
        bed.driver.power_on(guest)
        assert bed.state(guest) == states.RUNNING

    def test_fetched_files_are_based_on_the_image_of_this_host(self, bed: Bed) -> None:
        guest = bed.stopped()
        base = backing_file(_disk(bed, guest))
        write(_disk(bed, guest), 0x5a)
        files = fetched(bed, guest, bed.driver.moves.set_aside(guest.instance))
        subprocess.run(['qemu-img', 'rebase', '-u', '-f', 'qcow2', '-F', 'raw', '-b', '/srv/other/_base/x',
                        str(files['disk'])], check=True)
        assert guest.instance.uuid in bed.driver.stored()
        bed.driver.moves.adopt(with_flavor(guest, root_gb=2), files)
        disk = _disk(bed, guest)
        assert backing_file(disk) == base and holds(disk, 0x5a) and size_of(disk) == 2 * GIB
        assert not files['disk'].parent.exists()
        bed.driver.power_on(guest)
        assert bed.state(guest) == states.RUNNING

    def test_an_adoption_that_fails_keeps_what_was_fetched(self, bed: Bed) -> None:
        guest = bed.stopped()
        assert guest.instance.image is not None
        files = fetched(bed, guest, bed.driver.moves.set_aside(guest.instance))
        bed.driver.expire_images(-1)
        other = dataclasses.replace(guest.instance.image, id='not-in-the-cache')
        with pytest.raises(exception.Retry) as caught:
            bed.driver.moves.adopt(Guest(instance=dataclasses.replace(guest.instance, image=other)), files)
        assert caught.value.code == 'image_missing' and all(path.exists() for path in files.values())
        with pytest.raises(exception.NotFound):
            bed.driver.guest_info(guest.instance.uuid)
        bed.driver.destroy(guest.instance)
        assert not files['disk'].parent.exists() and guest.instance.uuid not in bed.driver.stored()

    def test_further_disks_follow_the_flavor(self, bed: Bed) -> None:
        guest = bed.guest(flavor={'ephemeral_gb': 1, 'swap_mb': 16})
        guest = dataclasses.replace(guest, config_drive={'openstack/latest/meta_data.json': b'{"a": 1}'})
        bed.driver.spawn(guest)
        bed.driver.power_off(guest.instance, 0)
        files = bed.driver.moves.set_aside(guest.instance)
        assert set(files) == {'disk', 'disk.eph0', 'disk.swap', 'disk.config', 'console.log'}
        swap, drive = (files[name].read_bytes() for name in ('disk.swap', 'disk.config'))
        with files['disk.eph0'].open('r+b') as file:
            file.seek(512 * MIB)
            file.write(b'written by the guest')
        bed.driver.moves.adopt(dataclasses.replace(guest, config_drive=None), files)
        folder = _disk(bed, guest).parent
        assert (folder / 'disk.swap').read_bytes() == swap and (folder / 'disk.config').read_bytes() == drive
        larger = with_flavor(guest, ephemeral_gb=2, swap_mb=32)
        bed.driver.moves.adopt(dataclasses.replace(larger, config_drive={'a': b'new'}), files)
        assert (folder / 'disk.eph0').stat().st_size == 2 * GIB
        assert (folder / 'disk.eph0').stat().st_blocks * 512 < 100 * MIB
        with (folder / 'disk.eph0').open('rb') as file:
            file.seek(512 * MIB)
            assert file.read(20) == b'written by the guest'
        assert (folder / 'disk.swap').stat().st_size == 32 * MIB and (folder / 'disk.swap').read_bytes() != swap
        assert (folder / 'disk.config').read_bytes() != drive
        bed.driver.moves.adopt(with_flavor(guest, swap_mb=0), files)
        assert not (folder / 'disk.swap').exists() and (folder / 'disk.eph0').exists()
        bed.driver.power_on(with_flavor(guest, swap_mb=0))
        assert bed.state(guest) == states.RUNNING

    def test_disks_that_the_old_flavor_had_not_are_made(self, bed: Bed) -> None:
        guest = bed.stopped()
        larger = with_flavor(guest, ephemeral_gb=1, swap_mb=16)
        bed.driver.moves.adopt(larger, bed.driver.moves.set_aside(guest.instance))
        folder = _disk(bed, guest).parent
        assert {'disk.eph0', 'disk.swap'} <= {path.name for path in folder.iterdir()}

    @pytest.mark.parametrize('lost', ['disk', 'disk.eph0'])
    def test_a_lost_file_is_told_before_anything_is_removed(self, bed: Bed, lost: str) -> None:
        guest = bed.stopped(flavor={'ephemeral_gb': 1})
        files = bed.driver.moves.set_aside(guest.instance)
        bed.driver.moves.adopt(guest, files)
        files[lost].unlink()
        with pytest.raises(exception.Failed) as caught:
            bed.driver.moves.adopt(guest, files)
        assert caught.value.code == 'disk_missing' and lost in caught.value.message
        assert bed.state(guest) == states.SHUTDOWN and _disk(bed, guest).exists()

    @pytest.mark.parametrize('disk', ['raw', 'another data file', 'based on a file without image'])
    def test_a_disk_that_refers_to_other_files_is_refused(self, bed: Bed, disk: str, tmp_path: pathlib.Path) -> None:
        guest = bed.stopped()
        files = bed.driver.moves.set_aside(guest.instance)
        wrong, options = tmp_path / 'wrong', {
            'another data file': ['-o', f'data_file={tmp_path}/data,data_file_raw=on'],
            'based on a file without image': ['-b', '/etc/hostname', '-F', 'raw']}
        subprocess.run(['qemu-img', 'create', '-q', '-f', 'raw' if disk == 'raw' else 'qcow2', *options.get(disk, []),
                        str(wrong), '1G'], check=True)
        if 'without image' in disk:
            guest = dataclasses.replace(guest, instance=dataclasses.replace(guest.instance, image=None))
        with pytest.raises(exception.Failed) as caught:
            bed.driver.moves.adopt(guest, {**files, 'disk': wrong})
        assert caught.value.code == 'disk_refused'
        assert guest.instance.uuid not in bed.driver.stored()


def _disk(bed: Bed, guest: Guest) -> pathlib.Path:
    root = bed.driver.storage()
    assert root is not None
    return pathlib.Path(root) / guest.instance.uuid / 'disk'
