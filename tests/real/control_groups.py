"""Control groups of its own for a container that no systemd places: systemd-nspawn would share those of its caller.

Two containers would then use the same groups, and groups made in them would outlive them. Controllers of version 1
are also read-only in a container, where libvirt has to create a group for each guest; ``writable`` opens them,
below the own groups only.
"""

from __future__ import annotations

import contextlib
import os
import pathlib

from tests.waiting import comes_true

MOUNTS = pathlib.Path('/sys/fs/cgroup')
# Moves itself into the groups that come before --, then becomes the command that comes after it.
ENTER = 'while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs" || exit; shift; done; shift; exec "$@"'


class ControlGroups:
    """One group of a name in each hierarchy."""

    def __init__(self, name: str, mounts: pathlib.Path = MOUNTS, own: str = '/proc/self/cgroup') -> None:
        self.folders: list[pathlib.Path] = []
        self.controllers: list[str] = []
        for line in pathlib.Path(own).read_text().splitlines():
            _, controllers, path = line.split(':', 2)
            hierarchy = controllers.removeprefix('name=') or ('unified' if (mounts / 'unified').is_dir() else '')
            parent = mounts / hierarchy / path[1:]
            if parent.is_dir() and os.access(parent, os.W_OK):
                self.folders.append(parent / name)
                self.controllers += [controllers] if controllers and '=' not in controllers else []

    def command(self, *words: str) -> list[str]:
        """Make the groups, and return the command that runs another one in them."""
        for folder in self.folders:
            folder.mkdir(exist_ok=True)
            for name in ('cpuset.cpus', 'cpuset.mems'):  # a new group of version 1 has none, and takes no process then
                if (folder.parent / name).exists() and not (folder / name).read_text().strip():
                    (folder / name).write_text((folder.parent / name).read_text())
        return ['sh', '-c', ENTER, 'sh', *map(str, self.folders), '--', *words]

    def writable(self) -> list[str]:
        """Return the command that opens the controllers of version 1 inside the container."""
        return ['sh', '-c', 'for path; do mount -o remount,bind,rw "$path" || exit; done', 'sh',
                *(str(MOUNTS / name) for name in self.controllers)]

    def remove(self) -> None:
        """Remove the groups and all below them, once the last process has ended."""
        comes_true(self._removed, 10)

    def _removed(self) -> bool:
        for folder in self.folders:
            for path, _, _ in os.walk(folder, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(path)
        return not any(folder.exists() for folder in self.folders)
