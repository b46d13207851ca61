"""Control groups: libvirt creates one for each guest, so their hierarchies must be writable."""

from __future__ import annotations

from collections.abc import Iterator

from oslo_config import cfg

from compute.cmd.doctor.diagnosis import Diagnosis, failure, fine
from compute.cmd.doctor.machine import Machine

MOUNTS = '/proc/self/mountinfo'
_OF_GUESTS = {'blkio', 'cpu', 'cpuacct', 'cpuset', 'devices', 'memory'}


def look(machine: Machine, conf: cfg.ConfigOpts) -> Iterator[Diagnosis]:
    """Check how the hierarchies are mounted: containers often have those of version 1 read-only."""
    writable = _hierarchies(machine.read(MOUNTS) or '')
    closed = sorted(path for path, opened in writable.items() if not opened)
    if closed:
        yield failure(f'control groups are read-only ({", ".join(closed)}): libvirt cannot start a guest',
                      f'in a container: give it control groups of version 2, or run mount -o remount,bind,rw on each '
                      f'of these after each start of it, for example mount -o remount,bind,rw {closed[0]}')
    elif writable:
        yield fine('control groups are writable')


def _hierarchies(mounts: str) -> dict[str, bool]:
    """Return whether each hierarchy with controllers for guests is writable, by where it is mounted."""
    found = {}
    for line in mounts.splitlines():
        before, _, after = line.partition(' - ')
        path, options = before.split()[4:6]
        kind, _, of_kind = after.split(' ', 2)
        if kind == 'cgroup2' or (kind == 'cgroup' and _OF_GUESTS & set(of_kind.split(','))):
            found[path] = 'rw' in options.split(',') and 'rw' in of_kind.split(',')
    return found
