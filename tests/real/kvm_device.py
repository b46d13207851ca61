"""/dev/kvm as Debian's udev rule makes it, for tests that ask libvirt on a machine without udev.

Where the device is there for root only, libvirtd (root) finds that KVM can be used and QEMU's user finds that it
cannot. libvirtd then takes what it knows of QEMU for outdated at every call and asks QEMU anew, two to five seconds
each: a server took 76 s to boot instead of 3. tools/stack.sh does the same for its own libvirtd.

What the device had before comes back when the process of the tests ends, however it ends.
"""

from __future__ import annotations

import atexit
import contextlib
import grp
import os
import stat
import subprocess
from dataclasses import dataclass

DEVICE = '/dev/kvm'
_OPEN = 0o660
# Waits for the end of its input, which comes with that of the tests; changes nothing that somebody else has changed.
_RESTORE = 'cat; [ "$(stat -c "%u:%g %a" "$1")" != "$2" ] || { chown "$3" "$1"; chmod "$4" "$1"; }'


@dataclass(frozen=True)
class Access:
    """Who may use a device: owner, group and mode."""

    owner: int
    group: int
    mode: int

    @classmethod
    def of(cls, path: str) -> Access:
        """Return what a device has. :raises FileNotFoundError:"""
        status = os.stat(path)
        return cls(status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode))

    @property
    def owners(self) -> str:
        """Owner and group, as chown takes them."""
        return f'{self.owner}:{self.group}'


def open_kvm_device(path: str = DEVICE, group: str = 'kvm') -> Access | None:
    """Give the device to root and the group kvm, mode 0660, unless others may use it already; return what it had.

    Where there is no such device or group, or the caller is not root, nothing is changed, and None returned.
    """
    with contextlib.suppress(FileNotFoundError, KeyError, PermissionError):
        had, number = Access.of(path), grp.getgrnam(group).gr_gid
        if had.mode & 0o006 == 0o006 or (had.group == number and had.mode & 0o060 == 0o060):
            return None
        os.chown(path, 0, number)
        os.chmod(path, _OPEN)
        return had
    return None


def restore_at_the_end(path: str, had: Access) -> subprocess.Popen[bytes]:
    """Start a process that gives the device back what it had, as soon as its input ends."""
    given = Access.of(path)
    return subprocess.Popen(
        ['sh', '-c', _RESTORE, 'restore', path, f'{given.owners} {given.mode:o}', had.owners, f'{had.mode:o}'],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def open_for_the_tests(path: str = DEVICE, group: str = 'kvm') -> None:
    """Open the device until the tests of this process end."""
    had = open_kvm_device(path, group)
    if had is not None:
        keeper = restore_at_the_end(path, had)
        atexit.register(keeper.communicate)
