"""The folder of the guests' disks: QEMU's user must be able to enter it, the worker to write into it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from oslo_config import cfg

from compute.cmd.doctor.diagnosis import Diagnosis, failure, fine, unknown
from compute.cmd.doctor.machine import Machine

_NAMES = ('libvirt-qemu', 'qemu')


def look(machine: Machine, conf: cfg.ConfigOpts) -> Iterator[Diagnosis]:
    """Look whether each folder on the way lets QEMU's user pass."""
    path = PurePosixPath(conf.libvirt.instances_path)
    user = qemu_user(machine)
    if user is None:
        yield unknown('no user libvirt-qemu or qemu was found, nor one in /etc/libvirt/qemu.conf')
        return
    if not machine.exists(str(path)):
        yield unknown(f'{path} ([libvirt] instances_path) is not there yet: a worker makes it when it starts')
    for folder in (*reversed(path.parents), path):
        if not machine.exists(str(folder)):
            return
        may = machine.may(user, 'x', str(folder))
        if may is None:
            yield unknown('only root can try what QEMU\'s user may do', 'run it as root')
            return
        if not may:
            yield failure(f'QEMU\'s user {user} cannot enter {folder}, and so not open disks below {path}',
                          f'chmod o+x {folder}, or setfacl -m u:{user}:x {folder}, or set [libvirt] instances_path')
            return
    yield fine(f'QEMU\'s user {user} can enter {path}')


def qemu_user(machine: Machine) -> str | None:
    """Return the user that QEMU runs as; None where nothing tells."""
    given = re.search(r'^\s*user\s*=\s*"\+?([^"]+)"', machine.read('/etc/libvirt/qemu.conf') or '', re.MULTILINE)
    names = (given[1],) if given else _NAMES
    return next((name for name in names if machine.has_user(name)), None)
