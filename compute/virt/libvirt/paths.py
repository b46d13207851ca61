"""Where the files of guests and images are.

Folders are open to be passed through (0755) because QEMU runs as a user of its own; libvirt gives it the disks when it
starts a guest, base images are readable for all, and a console log belongs to whoever made it first: the worker.

The folder of a guest has its uuid as name. Beside it there may be ``UUID_resize``, which was set aside by a move;
``UUID_incoming``, into which files are fetched from another host; and ``UUID_dropped``, whose removal did not finish.
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
from typing import Any

from compute import concurrency, exception
from compute.objects.instance import Instance

BASE = '_base'
ASIDE, INCOMING, DROPPED = '_resize', '_incoming', '_dropped'
_FOLDER = re.compile(r'(?P<uuid>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?P<suffix>|_[a-z]+)')


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

    def aside(self, instance: Instance) -> GuestPaths:
        """Return the names of the files that were set aside."""
        return GuestPaths(self.root / f'{instance.uuid}{ASIDE}')

    def incoming(self, instance: Instance) -> GuestPaths:
        """Return the names of the files that are fetched from another host."""
        return GuestPaths(self.root / f'{instance.uuid}{INCOMING}')

    def dropped(self, instance: Instance) -> GuestPaths:
        """Return the names of the files that were set aside and are being removed."""
        return GuestPaths(self.root / f'{instance.uuid}{DROPPED}')

    def stored(self) -> list[str]:
        """Return the uuids of all guests that have a folder, with anything in it or not, except those set aside."""
        return self._uuids('', INCOMING, DROPPED)

    def all_aside(self) -> list[str]:
        """Return the uuids of all guests that are set aside."""
        return self._uuids(ASIDE)

    def all_incoming(self) -> list[str]:
        """Return the uuids of all guests whose files are fetched."""
        return self._uuids(INCOMING)

    def all_dropped(self) -> list[GuestPaths]:
        """Return the folders whose removal did not finish."""
        return [GuestPaths(self.root / f'{uuid}{DROPPED}') for uuid in self._uuids(DROPPED)]

    def disks(self) -> list[pathlib.Path]:
        """Return the root disks in all folders of guests: those that run or not, and those set aside or incoming."""
        return list(self.root.glob('*-*-*-*-*/disk'))

    def _uuids(self, *suffixes: str) -> list[str]:
        found = (_FOLDER.fullmatch(path.name) for path in self.root.iterdir() if path.is_dir())
        return sorted({match['uuid'] for match in found if match and match['suffix'] in suffixes})


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

    def files(self) -> dict[str, pathlib.Path]:
        """Return those of the files that exist, by name.

        Without the config drive where this process may not read it: libvirt, which gives disks back when a guest stops,
        leaves a CD with the user of QEMU. It can be made anew.
        """
        known = (self.disk, self.ephemeral, self.swap, self.config_drive, self.kernel, self.ramdisk, self.console)
        return {path.name: path for path in known
                if path.exists() and (path != self.config_drive or os.access(path, os.R_OK))}

    def remove(self) -> None:
        """Remove the folder with all in it; what is gone already is no error. :raises Failed: ``disk_remove``."""
        concurrency.offload(shutil.rmtree, self.folder, onerror=_unless_gone)


def _unless_gone(_function: Any, path: str, failure: tuple[Any, Any, Any]) -> None:
    error = failure[1]
    if not isinstance(error, FileNotFoundError):
        raise exception.Failed(f'{path} cannot be removed: {error.strerror or error}', code='disk_remove',
                               hint='see the file system of [libvirt] instances_path, then delete the server again')
