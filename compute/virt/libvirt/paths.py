"""Where the files of guests and images are.

Folders are open to be passed through (0755) because QEMU runs as a user of its own; libvirt gives it the disks when it
starts a guest, base images are readable for all, and a console log belongs to whoever made it first: the worker.
"""

from __future__ import annotations

import os
import pathlib
import shutil
from typing import Any

from compute import concurrency, exception
from compute.objects.instance import Instance

BASE = '_base'


class Paths:
    """Names below ``[libvirt] instances_path``."""

    def __init__(self, root: str) -> None:
        self.root = pathlib.Path(root)
        self.base = self.root / BASE

    def make(self) -> None:
        """Create the folders that all guests share."""
        self.base.mkdir(parents=True, exist_ok=True, mode=0o755)

    def of(self, instance: Instance) -> GuestPaths:
        """Return the names of a guest's files."""
        return GuestPaths(self.root / instance.uuid)

    def stored(self) -> list[str]:
        """Return the uuids of all guests that have a folder, with anything in it or not."""
        return sorted(path.name for path in self.root.glob('*-*-*-*-*') if path.is_dir())

    def disks(self) -> list[pathlib.Path]:
        """Return the root disks of all guests that have a folder, running or not."""
        return list(self.root.glob('*-*-*-*-*/disk'))


class GuestPaths:
    """Names below the folder of one guest."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.disk = folder / 'disk'
        self.ephemeral = folder / 'disk.eph0'
        self.swap = folder / 'disk.swap'
        self.config_drive = folder / 'disk.config'
        self.kernel = folder / 'kernel'
        self.ramdisk = folder / 'ramdisk'
        self.console = folder / 'console.log'

    def make(self) -> None:
        """Create the folder, and the console log so that it is readable to us although a root process fills it."""
        self.folder.mkdir(mode=0o755, exist_ok=True)
        if not self.console.exists():
            os.close(os.open(self.console, os.O_CREAT | os.O_WRONLY, 0o640))

    def remove(self) -> None:
        """Remove the folder with all in it; what is gone already is no error. :raises Failed: ``disk_remove``."""
        concurrency.offload(shutil.rmtree, self.folder, onerror=_unless_gone)


def _unless_gone(_function: Any, path: str, failure: tuple[Any, Any, Any]) -> None:
    error = failure[1]
    if not isinstance(error, FileNotFoundError):
        raise exception.Failed(f'{path} cannot be removed: {error.strerror or error}', code='disk_remove',
                               hint='see the file system of [libvirt] instances_path, then delete the server again')
