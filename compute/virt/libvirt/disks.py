"""The disks of one guest: made once when it is spawned, listed whenever it is defined.

The root disk is a qcow2 that keeps only what differs from the cached image. Ephemeral disk and swap are sparse raw
files that come formatted, as users expect. The config drive is a small CD. Kernel and RAM disk of a direct kernel boot
are links to the cached images: they stay when those expire.
"""

from __future__ import annotations

import pathlib
import shutil

from compute import concurrency, exception
from compute.disk_format import opened_as
from compute.objects.image import Image, ImageData
from compute.objects.instance import Instance
from compute.virt import download
from compute.virt.driver import Guest
from compute.virt.hardware import Plan
from compute.virt.libvirt import configdrive, qemu_img
from compute.virt.libvirt.images import ImageCache
from compute.virt.libvirt.paths import GuestPaths, Paths
from compute.virt.libvirt.xml.disk import Targets
from compute.virt.libvirt.xml.spec import Disk, KernelBoot

MIB = 1024 ** 2
_CONSOLES = 'console=tty0 console=ttyS0'


class Disks:
    """Makes and lists disks."""

    def __init__(self, cache: str, paths: Paths, images: ImageCache) -> None:
        self._cache, self._paths, self._images = cache, paths, images

    def create(self, guest: Guest) -> None:
        """Make all disks of a guest. :raises Retry: no room, or the image is not in the cache."""
        instance, paths = guest.instance, self._paths.of(guest.instance)
        try:
            paths.make()
            self._create_root(instance, paths)
            if instance.flavor.ephemeral_gb:
                make_ephemeral(paths.ephemeral, instance.flavor.ephemeral_gb)
            if instance.flavor.swap_mb:
                make_swap(paths.swap, instance.flavor.swap_mb)
            self._link_parts(instance, paths)
            if guest.config_drive is not None:
                configdrive.write(paths.config_drive, guest.config_drive)
        except OSError as error:
            raise qemu_img.from_os_error(error) from error

    def _create_root(self, instance: Instance, paths: GuestPaths) -> None:
        size = instance.flavor.root_gb * download.GIB
        image = instance.image
        if image is not None:
            with self._images.using(image) as base:
                qemu_img.create_overlay(str(paths.disk), str(base), opened_as(image.disk_format), size or None)
        elif size:
            qemu_img.create_empty(str(paths.disk), size)

    def _link_parts(self, instance: Instance, paths: GuestPaths) -> None:
        for part, path in parts_of(instance, paths):
            with self._images.using(part) as cached:
                link(cached, path)

    def check(self, instance: Instance) -> None:
        """Check that all files of the guest exist. :raises Failed: one is missing or cannot be read."""
        paths = self._paths.of(instance)
        needed = [('kernel or RAM disk', path) for _, path in parts_of(instance, paths)]
        if instance.image is not None or instance.flavor.root_gb:
            needed.append(('root disk', paths.disk))
        for what, path in needed:
            try:
                path.stat()
            except FileNotFoundError as error:
                raise exception.Failed(f'the {what} {path} of guest {instance.uuid} is gone',
                                       code='disk_missing') from error
            except OSError as error:
                raise exception.Failed(f'guest {instance.uuid} cannot be started: {error}',
                                       code='guest_start') from error

    def complete(self, guest: Guest) -> None:
        """Before a guest starts again: make what may be made anew."""
        paths = self._paths.of(guest.instance)
        paths.make()
        if guest.config_drive is not None and not paths.config_drive.exists():
            configdrive.write(paths.config_drive, guest.config_drive)

    def kernel_boot(self, instance: Instance, disks: tuple[Disk, ...]) -> KernelBoot | None:
        """Return how a guest whose image names a kernel boots; None for all others."""
        image, paths = instance.image, self._paths.of(instance)
        if image is None or image.kernel is None:
            return None
        return KernelBoot(kernel=str(paths.kernel), ramdisk=str(paths.ramdisk) if image.ramdisk else None,
                          command_line=_command_line(image, disks))

    def specs(self, instance: Instance, plan: Plan, machine: str | None) -> tuple[Disk, ...]:
        """Return the disks that a guest has, in the order of their names."""
        paths, targets, bus = self._paths.of(instance), Targets(), plan.disk_bus
        files = ((paths.disk, 'qcow2', 1), (paths.ephemeral, 'raw', None), (paths.swap, 'raw', None))
        disks = [Disk(path=str(path), target=targets.next(bus), bus=bus, format=disk_format, cache=self._cache,
                      boot=boot) for path, disk_format, boot in files if path.exists()]
        if paths.config_drive.exists():
            cd_bus = plan.cdrom_bus or default_cdrom_bus(machine)
            # virtio has no CD drives: on that bus the guest sees a disk, by the same label.
            device = 'disk' if cd_bus == 'virtio' else 'cdrom'
            disks.append(Disk(path=str(paths.config_drive), target=targets.next(cd_bus), bus=cd_bus, format='raw',
                              device=device, cache=self._cache))
        return tuple(disks)


def _command_line(image: Image, disks: tuple[Disk, ...]) -> str:
    root = f'root=/dev/{disks[0].target} ' if disks else ''
    return image.properties.get('os_command_line') or f'{root}{_CONSOLES}'


def parts_of(instance: Instance, paths: GuestPaths) -> list[tuple[ImageData, pathlib.Path]]:
    """Return kernel and RAM disk of a guest that boots directly, and where they are."""
    image = instance.image
    found = ((image.kernel, paths.kernel), (image.ramdisk, paths.ramdisk)) if image is not None else ()
    return [(part, path) for part, path in found if part is not None]


def default_cdrom_bus(machine: str | None) -> str:
    """Return the bus on which a machine type has its CD drive: only the old PC has IDE."""
    name = machine or ''
    if name == 'pc' or name.startswith('pc-i440fx'):
        return 'ide'
    return 'sata' if 'q35' in name else 'scsi'


def make_ephemeral(path: pathlib.Path, size_gb: int) -> None:
    """Make a formatted ephemeral disk."""
    _sparse(path, size_gb * download.GIB)
    qemu_img.run('mkfs.ext4', '-q', '-F', '-L', 'ephemeral0', str(path))


def make_swap(path: pathlib.Path, size_mb: int) -> None:
    """Make a formatted swap disk."""
    _sparse(path, size_mb * MIB)
    qemu_img.run('mkswap', '-L', 'swap', str(path))


def link(source: pathlib.Path, target: pathlib.Path) -> None:
    """Give a file that does not change a second name, or copy it where that is not possible."""
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:  # another file system, or one without links
        concurrency.offload(shutil.copyfile, source, target)


def _sparse(path: pathlib.Path, size: int) -> None:
    with path.open('wb') as file:
        file.truncate(size)
    path.chmod(0o600)
