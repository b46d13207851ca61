"""Make the disks of a guest from files of before a move: of the same host, or fetched from another one.

No file that was given is changed, so all of this can be repeated. Those of the same host are copied, because the guest
may go back to them. Those that were fetched get a second name, and their first one is removed with the incoming folder.
"""

from __future__ import annotations

import os
import pathlib

from oslo_config import cfg

from compute import concurrency, exception
from compute.disk_format import QCOW2, opened_as
from compute.objects.instance import Instance
from compute.virt import download
from compute.virt.driver import Guest
from compute.virt.libvirt import configdrive, disks, qcow2, qemu_img
from compute.virt.libvirt.images import ImageCache
from compute.virt.libvirt.paths import GuestPaths, Paths

Files = dict[str, pathlib.Path]


class Adoption:
    """Makes disks from files."""

    def __init__(self, conf: cfg.ConfigOpts, paths: Paths, images: ImageCache) -> None:
        self._conf, self._paths, self._images = conf.libvirt, paths, images

    def check(self, instance: Instance, files: Files) -> None:
        """Check that nothing is missing. :raises Failed: ``disk_missing``."""
        paths = self._paths.of(instance)
        needs_root = instance.image is not None or instance.flavor.root_gb
        missing = [name for name, path in files.items() if not path.is_file()]
        if needs_root and paths.disk.name not in files:
            missing.append(paths.disk.name)
        if missing:
            raise exception.Failed(f'guest {instance.uuid} cannot be made: {", ".join(missing)} of it is gone',
                                   code='disk_missing')

    def make(self, guest: Guest, files: Files) -> None:
        """Make the folder with all disks. :raises Retry: no room, or the image is not in the cache."""
        instance, paths = guest.instance, self._paths.of(guest.instance)
        fetched = self._paths.incoming(instance).folder
        try:
            paths.folder.mkdir(mode=0o755, exist_ok=True)
            if paths.disk.name in files:
                _place(files[paths.disk.name], paths.disk, fetched)
                self._fit_root(instance, paths.disk)
            _make_ephemeral(instance, paths, files, fetched)
            _make_swap(instance, paths, files, fetched)
            self._place_parts(instance, paths, files)
            _make_config_drive(guest, paths, files, fetched)
            if paths.console.name in files:
                _place(files[paths.console.name], paths.console, fetched)
            paths.make()
        except OSError as error:
            raise qemu_img.from_os_error(error) from error

    def _fit_root(self, instance: Instance, disk: pathlib.Path) -> None:
        """Let the root disk be based on this host's image, and grow to the flavor's size. A larger one stays."""
        header = qcow2.read_header(disk)
        if header is None or header.data_file:
            raise _refused(disk, 'it is no qcow2, or has its data in another file')
        self._inspect(disk)
        image, wanted = instance.image, instance.flavor.root_gb * download.GIB
        if header.backing is not None:
            if image is None:
                raise _refused(disk, 'it is based on an image, and its server has none')
            # Even if it names this base already: the format that is noted beside the name decides how QEMU reads it.
            with self._images.using(image) as base:
                qemu_img.rebase(str(disk), str(base), opened_as(image.disk_format))
            if qcow2.backing_file(disk) != str(base):
                raise _refused(disk, f'it is not based on {base}')
        if header.size < wanted:
            qemu_img.grow(str(disk), wanted)

    def _inspect(self, disk: pathlib.Path) -> None:
        """Let QEMU look at it, within limits. :raises Failed: ``disk_refused``."""
        try:
            qemu_img.inspect(str(disk), QCOW2, self._conf.image_inspection_memory_mb,
                             self._conf.image_inspection_seconds)
        except ValueError as error:
            raise _refused(disk, str(error)) from error

    def _place_parts(self, instance: Instance, paths: GuestPaths, files: Files) -> None:
        """Give kernel and RAM disk of the cache, which were verified, a second name; else those among the files."""
        for part, path in disks.parts_of(instance, paths):
            if path.name in files and not self._images.path(part).exists():
                disks.link(files[path.name], path)
            else:
                with self._images.using(part) as cached:
                    disks.link(cached, path)


def _make_ephemeral(instance: Instance, paths: GuestPaths, files: Files, fetched: pathlib.Path) -> None:
    """Keep the ephemeral disk and let it grow. Its file system stays as large as it was: that is the guest's."""
    disk, size_gb = paths.ephemeral, instance.flavor.ephemeral_gb
    if disk.name in files:
        _place(files[disk.name], disk, fetched)
        if disk.stat().st_size < size_gb * download.GIB:
            os.truncate(disk, size_gb * download.GIB)
    elif size_gb:
        disks.make_ephemeral(disk, size_gb)


def _make_swap(instance: Instance, paths: GuestPaths, files: Files, fetched: pathlib.Path) -> None:
    """Make the swap disk anew if its size changes. One that stays may hold the memory of a guest that hibernated."""
    size = instance.flavor.swap_mb * disks.MIB
    source = files.get(paths.swap.name)
    if source is not None and source.stat().st_size == size:
        _place(source, paths.swap, fetched)
    elif size:
        disks.make_swap(paths.swap, instance.flavor.swap_mb)


def _make_config_drive(guest: Guest, paths: GuestPaths, files: Files, fetched: pathlib.Path) -> None:
    if guest.config_drive is not None:
        configdrive.write(paths.config_drive, guest.config_drive)
    elif paths.config_drive.name in files:
        _place(files[paths.config_drive.name], paths.config_drive, fetched)


def _place(source: pathlib.Path, target: pathlib.Path, fetched: pathlib.Path) -> None:
    """Let a file be in the folder of the guest, safe on the disk."""
    target.unlink(missing_ok=True)
    if source.parent != fetched or not _linked(source, target):
        qemu_img.copy(str(source), str(target))
    with target.open('rb') as file:
        concurrency.offload(os.fsync, file.fileno())


def _linked(source: pathlib.Path, target: pathlib.Path) -> bool:
    try:
        target.hardlink_to(source)
    except OSError:  # a file system without links
        return False
    return True


def _refused(disk: pathlib.Path, why: str) -> exception.Failed:
    return exception.Failed(f'the root disk {disk} is refused: {why}', code='disk_refused',
                            hint='see how the file came to its host')
