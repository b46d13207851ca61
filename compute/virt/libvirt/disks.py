"""The disks of one guest: made once when it is spawned, listed whenever it is defined.

The root disk is a qcow2 that keeps only what differs from the cached image. Ephemeral disk and swap are sparse raw
files that come formatted, as users expect. The config drive is a small CD.
"""

from __future__ import annotations

import pathlib

from compute import exception
from compute.objects.instance import Instance
from compute.virt import download
from compute.virt.driver import Guest
from compute.virt.hardware import Plan
from compute.virt.libvirt import configdrive, qemu_img
from compute.virt.libvirt.images import ImageCache
from compute.virt.libvirt.paths import GuestPaths, Paths
from compute.virt.libvirt.xml.disk import Targets
from compute.virt.libvirt.xml.spec import Disk

_MIB = 1024 ** 2


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
                _sparse(paths.ephemeral, instance.flavor.ephemeral_gb * download.GIB)
                qemu_img.run('mkfs.ext4', '-q', '-F', '-L', 'ephemeral0', str(paths.ephemeral))
            if instance.flavor.swap_mb:
                _sparse(paths.swap, instance.flavor.swap_mb * _MIB)
                qemu_img.run('mkswap', '-L', 'swap', str(paths.swap))
            if guest.config_drive is not None:
                configdrive.write(paths.config_drive, guest.config_drive)
        except OSError as error:
            raise qemu_img.from_os_error(error) from error

    def _create_root(self, instance: Instance, paths: GuestPaths) -> None:
        size = instance.flavor.root_gb * download.GIB
        image = instance.image
        if image is not None:
            with self._images.using(image) as base:
                qemu_img.create_overlay(str(paths.disk), str(base), image.disk_format or 'raw', size or None)
        elif size:
            qemu_img.create_empty(str(paths.disk), size)

    def check(self, instance: Instance) -> None:
        """See that the root disk is there, if there is to be one. :raises Failed: it is gone, or cannot be reached."""
        disk = self._paths.of(instance).disk
        if instance.image is None and not instance.flavor.root_gb:
            return
        try:
            disk.stat()
        except FileNotFoundError as error:
            raise exception.Failed(f'the root disk {disk} of guest {instance.uuid} is gone',
                                   code='disk_missing') from error
        except OSError as error:
            raise exception.Failed(f'guest {instance.uuid} cannot be started: {error}', code='guest_start') from error

    def complete(self, guest: Guest) -> None:
        """Before a guest starts again: make what may be made anew."""
        paths = self._paths.of(guest.instance)
        paths.make()
        if guest.config_drive is not None and not paths.config_drive.exists():
            configdrive.write(paths.config_drive, guest.config_drive)

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


def default_cdrom_bus(machine: str | None) -> str:
    """Return the bus on which a machine type has its CD drive: only the old PC has IDE."""
    name = machine or ''
    if name == 'pc' or name.startswith('pc-i440fx'):
        return 'ide'
    return 'sata' if 'q35' in name else 'scsi'


def _sparse(path: pathlib.Path, size: int) -> None:
    with path.open('wb') as file:
        file.truncate(size)
    path.chmod(0o600)
