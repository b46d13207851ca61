"""/dev/kvm as Debian's udev rule makes it, for tests that ask libvirt on a machine without udev.

Where the device is there for root only, libvirtd (root) finds that KVM can be used and QEMU's user finds that it
cannot. libvirtd then takes what it knows of QEMU for outdated at every call and asks QEMU anew, two to five seconds
each: a server took 76 s to boot instead of 3. tools/stack.sh does the same for its own libvirtd.
"""

from __future__ import annotations

import contextlib
import grp
import os
import stat

DEVICE = '/dev/kvm'


def open_kvm_device(path: str = DEVICE, group: str = 'kvm') -> bool:
    """Give the device to root and the group kvm, mode 0660, unless others may use it already; True when changed.

    Where there is no such device or group, or the caller is not root, nothing is changed.
    """
    with contextlib.suppress(FileNotFoundError, KeyError, PermissionError):
        status, number = os.stat(path), grp.getgrnam(group).gr_gid
        if stat.S_IMODE(status.st_mode) & 0o006 == 0o006 or (
                status.st_gid == number and stat.S_IMODE(status.st_mode) & 0o060 == 0o060):
            return False
        os.chown(path, 0, number)
        os.chmod(path, 0o660)
        return True
    return False
