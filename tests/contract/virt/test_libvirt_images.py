"""The libvirt driver's image cache and disks, on a real qemu-img but without a libvirtd."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pathlib
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from compute import exception
from compute.objects.instance import Instance
from compute.virt import download, hardware
from compute.virt.driver import Guest
from compute.virt.libvirt import qemu_img
from compute.virt.libvirt.disks import Disks
from compute.virt.libvirt.driver import LibvirtDriver
from compute.virt.libvirt.images import ImageCache
from compute.virt.libvirt.paths import Paths
from compute.virt.libvirt.qcow2 import backing_file
from compute.virt.libvirt.xml.spec import KernelBoot
from tests.contract.virt.bed import Bed
from tests.contract.virt.contract import ImageContract
from tests.contract.virt.making import Source, make_conf, make_image, make_instance, make_part
from tests.waiting import LONG

pytestmark = pytest.mark.skipif(shutil.which('qemu-img') is None, reason='needs qemu-img')
DATA = bytes(65536)


@pytest.fixture
def bed(tmp_path: pathlib.Path) -> Bed:
    Paths(str(tmp_path)).make()
    return Bed(LibvirtDriver(make_conf(libvirt={'instances_path': str(tmp_path)}), 'host-1'), [], DATA, print)


class TestLibvirtImages(ImageContract):
    """The part of the contract that needs no guest."""


class Store:
    """Cache and disks over one folder."""

    def __init__(self, root: pathlib.Path) -> None:
        self.paths = Paths(str(root))
        self.paths.make()
        self.images = ImageCache(make_conf(libvirt={'instances_path': str(root)}), self.paths, 'host-1')
        self.disks = Disks('none', self.paths, self.images)

    def age(self, instance: Instance) -> None:
        """Let nobody have wanted an image for long."""
        os.utime(self.images.path(instance.image), (1, 1))  # type: ignore[arg-type]
        self.age_stamps(instance)

    def age_stamps(self, instance: Instance) -> None:
        """Let nobody have noted for long that an image was wanted."""
        for path in self.paths.base.glob(f'{instance.image.id}.*.used'):  # type: ignore[union-attr]
            os.utime(path, (1, 1))


@pytest.fixture
def store(tmp_path: pathlib.Path) -> Store:
    return Store(tmp_path)


def make_qcow2(path: pathlib.Path, *options: str, size: str = '64M') -> bytes:
    subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', *options, str(path), size], check=True)
    return path.read_bytes()


def info(path: pathlib.Path) -> dict[str, object]:
    done = subprocess.run(['qemu-img', 'info', '--output=json', str(path)], capture_output=True, check=True)
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(('root_gb', 'size'), [(1, 1024 ** 3), (0, 64 * 1024 ** 2)])
def test_the_root_disk_is_an_overlay_of_the_flavors_size(store: Store, tmp_path: pathlib.Path, root_gb: int,
                                                         size: int) -> None:
    data = make_qcow2(tmp_path / 'made.qcow2')
    instance = make_instance(make_image(data, 'qcow2'), flavor={'root_gb': root_gb})
    store.images.prepare(instance, Source(data))
    store.disks.create(Guest(instance=instance))
    found, base = info(store.paths.of(instance).disk), store.images.path(instance.image)  # type: ignore[arg-type]
    assert (found['format'], found['virtual-size'], found['backing-filename']) == ('qcow2', size, str(base))
    assert found['backing-filename-format'] == 'qcow2' and base.read_bytes() == data
    assert backing_file(store.paths.of(instance).disk) == str(base)


def test_a_disk_without_image_is_blank(store: Store) -> None:
    instance = make_instance(None)
    store.disks.create(Guest(instance=instance))
    assert info(store.paths.of(instance).disk)['virtual-size'] == 1024 ** 3
    assert backing_file(store.paths.of(instance).disk) is None


def test_a_data_file_is_refused(store: Store, tmp_path: pathlib.Path) -> None:
    data = make_qcow2(tmp_path / 'made.qcow2', '-o', f'data_file={tmp_path}/secret,data_file_raw=on')
    with pytest.raises(exception.Failed) as caught:
        store.images.prepare(make_instance(make_image(data, 'qcow2')), Source(data))
    assert caught.value.code in ('image_format', 'image_corrupt')
    assert list(store.paths.base.iterdir()) == []


def test_a_data_file_is_refused_before_qemu_sees_it(tmp_path: pathlib.Path) -> None:
    data = make_qcow2(tmp_path / 'made.qcow2', '-o', f'data_file={tmp_path}/secret,data_file_raw=on')
    with pytest.raises(exception.Failed, match='external data file'):
        download.fetch(make_image(data, 'qcow2'), [data], len)


@pytest.mark.parametrize('told', [{'disk_format': 'vmdk'}, {'disk_format': 'aki'}, {'disk_format': None},
                                  {'container_format': 'ova'}, {'container_format': 'docker'}])
def test_what_cannot_be_booted_is_not_even_fetched(store: Store, told: dict[str, Any]) -> None:
    source = Source(DATA)
    with pytest.raises(exception.Failed, match='cannot be booted') as caught:
        store.images.prepare(make_instance(make_image(DATA, **told)), source)
    assert caught.value.code == 'image_format' and source.opened == 0 and list(store.paths.base.iterdir()) == []


@pytest.mark.parametrize('linked', [True, False])
def test_kernel_and_ram_disk_stay_with_the_guest(store: Store, monkeypatch: pytest.MonkeyPatch, linked: bool) -> None:
    kernel, ramdisk = b'MZ' + bytes(9000), b'\x1f\x8b' + bytes(9000)
    image = make_image(DATA, 'ami', kernel=make_part(kernel, 'aki'), ramdisk=make_part(ramdisk, 'ari'))
    instance, parts = make_instance(image), {each.id: data for each, data in zip(image.parts, (kernel, ramdisk),
                                                                               strict=True)}
    if not linked:
        def refuse(*args: Any) -> None:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        monkeypatch.setattr(pathlib.Path, 'hardlink_to', refuse)
    store.images.prepare(instance, Source(DATA, others=parts))
    store.disks.create(Guest(instance=instance))
    paths = store.paths.of(instance)
    for stamp in store.paths.base.iterdir():
        os.utime(stamp, (1, 1))
    assert store.images.expire(3600) == sorted(part.id for part in image.parts)
    assert (paths.kernel.read_bytes(), paths.ramdisk.read_bytes()) == (kernel, ramdisk)
    store.disks.check(instance)
    disks = store.disks.specs(instance, hardware.plan(instance), 'pc')
    assert store.disks.kernel_boot(instance, disks) == KernelBoot(
        kernel=str(paths.kernel), ramdisk=str(paths.ramdisk), command_line='root=/dev/vda console=tty0 console=ttyS0')
    paths.ramdisk.unlink()
    with pytest.raises(exception.Failed, match='RAM disk') as caught:
        store.disks.check(instance)
    assert caught.value.code == 'disk_missing'


def test_an_image_may_give_the_command_line(store: Store) -> None:
    image = make_image(DATA, kernel=make_part(DATA, 'aki'), properties={'os_command_line': 'quiet root=LABEL=rootfs'})
    boot = store.disks.kernel_boot(make_instance(image), ())
    assert boot is not None and (boot.command_line, boot.ramdisk) == ('quiet root=LABEL=rootfs', None)
    assert store.disks.kernel_boot(make_instance(make_image(DATA)), ()) is None


def test_every_call_of_qemu_img_names_the_format(store: Store, tmp_path: pathlib.Path,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    """It would find out by itself otherwise, from data that users uploaded or guests wrote."""
    data, calls, run = make_qcow2(tmp_path / 'made.qcow2'), [], subprocess.run

    def noted(command: list[str], *args: Any, **kwargs: Any) -> Any:
        calls.append([os.path.basename(word) for word in command])
        return run(command, *args, **kwargs)
    monkeypatch.setattr(subprocess, 'run', noted)
    for image in (make_image(data, 'qcow2'), make_image(DATA), None):
        instance = make_instance(image)
        store.images.prepare(instance, Source(data if image and image.disk_format == 'qcow2' else DATA))
        store.disks.create(Guest(instance=instance))
    calls = [call for call in calls if 'qemu-img' in call]
    assert {call[call.index('qemu-img') + 1] for call in calls} == {'info', 'create'}
    assert all('-f' in call and ('-b' not in call or '-F' in call) for call in calls)


def test_an_ami_is_a_raw_disk(store: Store) -> None:
    instance = make_instance(make_image(DATA, 'ami', container_format='ami'))
    store.images.prepare(instance, Source(DATA))
    store.disks.create(Guest(instance=instance))
    assert info(store.paths.of(instance).disk)['backing-filename-format'] == 'raw'


@pytest.mark.parametrize('damage', ['cut', 'changed', 'empty', 'longer'])
@pytest.mark.parametrize('disk_format', ['raw', 'qcow2'])
@pytest.mark.parametrize('restarted', [False, True])
def test_a_damaged_image_is_fetched_again(store: Store, tmp_path: pathlib.Path, disk_format: str, damage: str,
                                          restarted: bool) -> None:
    """Every later boot of the image on this host would fail, or start from wrong data."""
    data = make_qcow2(tmp_path / 'made.qcow2') if disk_format == 'qcow2' else DATA
    instance, source = make_instance(make_image(data, disk_format)), Source(data)
    store.images.prepare(instance, source)
    path = store.images.path(instance.image)  # type: ignore[arg-type]
    before = path.stat()
    path.write_bytes({'cut': data[:-1], 'changed': data[:-1] + b'x', 'empty': b'', 'longer': data + b'x'}[damage])
    cache = Store(store.paths.root).images if restarted else store.images
    # A file system may tell time in steps: what was written at once may look as old as before.
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + (0 if restarted else 1)))
    cache.prepare(instance, source)
    assert source.opened == 2 and path.read_bytes() == data
    cache.prepare(instance, source)
    assert source.opened == 2


def test_a_damaged_image_stays_until_it_can_be_replaced(store: Store) -> None:
    """Disks of guests are based on it, and the image may have been deleted: without it none of them starts again."""
    instance, data = make_instance(make_image(DATA)), DATA[:-1] + b'x'
    store.images.prepare(instance, Source(DATA))
    path = store.images.path(instance.image)  # type: ignore[arg-type]
    path.write_bytes(data)
    with pytest.raises(exception.Failed, match='is corrupt'):
        Store(store.paths.root).images.prepare(instance, Source(data))
    assert path.read_bytes() == data


def test_an_undamaged_image_is_read_once_and_not_fetched(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    instance, source = make_instance(make_image(DATA)), Source(DATA)
    store.images.prepare(instance, source)
    cache, read = Store(store.paths.root).images, []
    fetch = download.fetch
    monkeypatch.setattr(download, 'fetch', lambda *args: read.append(args[0].id) or fetch(*args))
    path = cache.path(instance.image)  # type: ignore[arg-type]
    for _ in range(3):
        cache.prepare(instance, source)
        os.chmod(path, 0o444)  # as libvirt changes who may read it
    assert source.opened == 1 and read == [instance.image.id]  # type: ignore[union-attr]


def test_the_reading_of_a_cached_image_can_be_cancelled(store: Store) -> None:
    instance, source, cancelled = make_instance(make_image(DATA)), Source(DATA), threading.Event()
    store.images.prepare(instance, source)
    cancelled.set()
    with pytest.raises(exception.Stale):
        Store(store.paths.root).images.prepare(instance, source, cancelled)
    assert store.images.path(instance.image).exists()  # type: ignore[arg-type]


def test_a_cut_off_qcow2_is_refused(store: Store, tmp_path: pathlib.Path) -> None:
    data = make_qcow2(tmp_path / 'made.qcow2')[:64]
    with pytest.raises(exception.Failed) as caught:
        store.images.prepare(make_instance(make_image(data, 'qcow2')), Source(data))
    assert caught.value.code == 'image_format' and 'cut off' in caught.value.message


def test_the_virtual_size_counts_not_the_claimed(store: Store, tmp_path: pathlib.Path) -> None:
    data = make_qcow2(tmp_path / 'made.qcow2', size='2G')
    with pytest.raises(exception.Failed) as caught:
        store.images.prepare(make_instance(make_image(data, 'qcow2', virtual_size=1), flavor={'root_gb': 1}),
                             Source(data))
    assert caught.value.code == 'image_too_large'


def test_no_room_may_be_retried_elsewhere(store: Store) -> None:
    image = make_image(DATA, size=10 ** 17)
    with pytest.raises(exception.Retry) as caught:
        store.images.prepare(make_instance(image), Source(DATA))
    assert caught.value.code == 'disk_full'


def test_expiry_spares_used_and_recent(store: Store, tmp_path: pathlib.Path) -> None:
    used, idle, recent = (make_instance(make_image(DATA)) for _ in range(3))
    for instance in (used, idle, recent):
        store.images.prepare(instance, Source(DATA))
    store.disks.create(Guest(instance=used))
    for instance in (used, idle):
        store.age(instance)
    assert store.images.expire(3600) == [idle.image.id]  # type: ignore[union-attr]
    with pytest.raises(exception.Retry), store.images.using(idle.image):  # type: ignore[arg-type]
        pass
    assert not list(store.paths.base.glob(f'{idle.image.id}*'))  # type: ignore[union-attr]


def test_an_image_that_libvirt_gave_away_is_wanted_still(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    instance, given = make_instance(make_image(DATA)), make_instance(make_image(DATA))
    for each in (instance, given):
        store.images.prepare(each, Source(DATA))
        store.age(each)
    utime, image = os.utime, store.images.path(given.image)  # type: ignore[arg-type]

    def refuse(path: Any, *args: Any, **kwargs: Any) -> None:
        if os.fspath(path) == str(image):
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), path)
        utime(path, *args, **kwargs)
    monkeypatch.setattr(os, 'utime', refuse)
    store.images.prepare(given, Source(DATA))
    assert store.images.expire(3600) == [instance.image.id]  # type: ignore[union-attr]
    store.age_stamps(given)
    with store.images.using(given.image):  # type: ignore[arg-type]
        pass
    assert store.images.expire(3600) == []
    store.age_stamps(given)
    assert store.images.expire(3600) == [given.image.id]  # type: ignore[union-attr]


def test_images_of_before_are_as_old_as_they_look(store: Store) -> None:
    old, young = make_instance(make_image(DATA)), make_instance(make_image(DATA))
    for each in (old, young):
        store.images.prepare(each, Source(DATA))
    store.age(old)
    for stamp in store.paths.base.glob('*.used'):
        stamp.unlink()
    assert store.images.expire(3600) == [old.image.id]  # type: ignore[union-attr]
    assert store.images.expire(0) == [young.image.id]  # type: ignore[union-attr]
    assert list(store.paths.base.iterdir()) == []


def test_an_image_that_cannot_be_stamped_is_used(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    monkeypatch.setattr(pathlib.Path, 'touch', refuse)
    instance = make_instance(make_image(DATA))
    store.images.prepare(instance, Source(DATA))
    with store.images.using(instance.image) as base:  # type: ignore[arg-type]
        assert base.exists()


def test_an_id_that_is_used_again_does_not_give_the_data_of_before(store: Store) -> None:
    before, after = make_image(DATA), bytes(range(256)) * 256
    store.images.prepare(make_instance(before), Source(DATA))
    again = make_image(after, id=before.id)
    source = Source(after)
    store.images.prepare(make_instance(again), source)
    assert store.images.path(again).read_bytes() == after and store.images.path(before).read_bytes() == DATA
    store.images.path(again).unlink()
    with pytest.raises(exception.Retry), store.images.using(again):
        pass


def test_what_a_killed_worker_left_is_cleaned(store: Store) -> None:
    left, other = store.paths.base / 'x.host-1.part', store.paths.base / 'x.host-2.part'
    left.touch()
    other.touch()
    store.images.clean()
    assert not left.exists() and other.exists()


def test_a_process_that_was_replaced_in_a_fetch_does_not_end_the_fetch_of_its_successor(store: Store,
                                                                                        tmp_path: pathlib.Path) -> None:
    """A worker that was paused wakes while the next one fetches the same image: what has a name is whole, always."""
    instance, later = make_instance(make_image(DATA)), Store(tmp_path).images
    path = store.images.path(instance.image)  # type: ignore[arg-type]
    begun, go_on = threading.Event(), threading.Event()
    successor = threading.Thread(target=later.prepare, daemon=True, args=(instance, lambda key: halves(
        lambda: begun.set() or go_on.wait(LONG))))

    def replaced() -> None:
        later.clean()
        successor.start()
        assert begun.wait(LONG)
    with contextlib.suppress(FileNotFoundError):
        store.images.prepare(instance, lambda key: halves(replaced))
    assert not path.exists() or path.read_bytes() == DATA
    go_on.set()
    successor.join(LONG)
    assert path.read_bytes() == DATA and not list(store.paths.base.glob('*.part'))


def halves(between: Callable[[], Any]) -> Iterator[bytes]:
    """Yield the data of an image; something happens in the middle."""
    yield DATA[:1000]
    between()
    yield DATA[1000:]


def test_a_stamp_without_its_image_is_cleaned(store: Store) -> None:
    kept, lost = make_instance(make_image(DATA)), make_instance(make_image(DATA))
    for each in (kept, lost):
        store.images.prepare(each, Source(DATA))
    image = store.images.path(kept.image)  # type: ignore[arg-type]
    store.images.path(lost.image).unlink()  # type: ignore[arg-type]
    assert store.images.expire(0) == [kept.image.id]  # type: ignore[union-attr]
    store.images.prepare(kept, Source(DATA))
    store.images.clean()
    assert sorted(path.name for path in store.paths.base.iterdir()) == [image.name, f'{image.name}.used']


def test_an_image_id_cannot_leave_the_cache(store: Store) -> None:
    with pytest.raises(exception.Failed):
        store.images.path(make_image(DATA, id='../../etc/passwd'))


def test_inspection_has_limits(tmp_path: pathlib.Path) -> None:
    make_qcow2(tmp_path / 'made.qcow2')
    with pytest.raises(ValueError):
        qemu_img.inspect(str(tmp_path / 'made.qcow2'), 'qcow2', 1, 5)
