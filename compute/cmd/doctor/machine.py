"""The machine as seen by checks: files, users, programs. Tests pass a fake one."""

from __future__ import annotations

import fcntl
import grp
import os
import pwd
import shutil
import socket
import stat
import subprocess
import time
from dataclasses import dataclass

_KVM_GET_API_VERSION = 0xAE00
_KVM_CREATE_VM = 0xAE01


@dataclass(frozen=True)
class Done:
    """How a program ended; status 127 where there is no such program, 124 where it took too long."""

    status: int
    output: str
    seconds: float = 0.0


class Machine:
    """This machine."""

    def read(self, path: str) -> str | None:
        """Return the text of a file; None where it cannot be read."""
        try:
            with open(path, encoding='utf-8', errors='replace') as file:
                return file.read()
        except OSError:
            return None

    def exists(self, path: str) -> bool:
        """Return whether there is such a file or folder."""
        return os.path.exists(path)

    def owner(self, path: str) -> tuple[str, str, int]:
        """Return user, group and permission bits of a file. :raises OSError: it cannot be looked at."""
        found = os.stat(path)
        return _user(found.st_uid), _group(found.st_gid), stat.S_IMODE(found.st_mode)

    def free_bytes(self, path: str) -> int | None:
        """Return the free space of the file system that holds a path, or its nearest folder that exists."""
        while not os.path.exists(path) and path not in ('', '/'):
            path = os.path.dirname(path)
        try:
            space = os.statvfs(path or '/')
        except OSError:
            return None
        return space.f_bavail * space.f_frsize

    def run(self, *command: str, seconds: float = 30.0) -> Done:
        """Run a program without a shell."""
        path = os.environ.get('PATH', os.defpath) + ':/usr/local/sbin:/usr/sbin:/sbin'
        program = shutil.which(command[0], path=path)
        if program is None:
            return Done(127, '')
        begun = time.monotonic()
        try:
            done = subprocess.run([program, *command[1:]], capture_output=True, text=True, timeout=seconds, check=False,
                                  stdin=subprocess.DEVNULL, env={**os.environ, 'PATH': path, 'LC_ALL': 'C.UTF-8'})
        except subprocess.TimeoutExpired:
            return Done(124, '', seconds)
        return Done(done.returncode, (done.stdout + done.stderr).strip(), time.monotonic() - begun)

    def has_user(self, name: str) -> bool:
        """Return whether there is a user of this name."""
        try:
            pwd.getpwnam(name)
        except KeyError:
            return False
        return True

    def may(self, user: str, how: str, path: str) -> bool | None:
        """Return whether a user may read (r), write (w) or enter (x) a path; None where this process cannot try it."""
        if os.geteuid() != 0:
            return None
        account = pwd.getpwnam(user)
        return self.run('setpriv', f'--reuid={account.pw_uid}', f'--regid={account.pw_gid}', '--init-groups', '--',
                        'test', f'-{how}', path).status == 0

    def kvm_error(self) -> str:
        """Return why a virtual machine of KVM cannot be made by this process; empty where it can."""
        try:
            device = os.open('/dev/kvm', os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            return error.strerror or 'it cannot be opened'
        try:
            fcntl.ioctl(device, _KVM_GET_API_VERSION)
            os.close(fcntl.ioctl(device, _KVM_CREATE_VM, 0))
        except OSError as error:
            return error.strerror or 'it refuses'
        finally:
            os.close(device)
        return ''

    def addresses(self, name: str) -> tuple[list[str], float]:
        """Return the addresses of a host name, none where it has none, and the seconds that took."""
        begun = time.monotonic()
        try:
            found = sorted({str(entry[4][0]) for entry in socket.getaddrinfo(name, None, proto=socket.IPPROTO_TCP)})
        except OSError:
            found = []
        return found, time.monotonic() - begun


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
