"""A libvirtd of the test's own, beside the one that this machine may run: killed, stopped and started at will.

It has a mount namespace in which all that libvirt keeps at fixed places lies below one folder, and a socket there. It
puts guests into no cgroups and asks no other daemon, so that no name can clash. Guests are emulated, as everywhere in
the tests. The instances' folder is a small file system in memory, which can be made full.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import tempfile
import tty
from pathlib import Path

import libvirt

from tests.functional.standalone import wait_for
from tests.real.kvm_device import open_for_the_tests
from tests.waiting import comes_true

_KEPT = ('run/libvirt', 'etc/libvirt', 'var/lib/libvirt', 'var/cache/libvirt', 'var/log/libvirt')
_QEMU_CONF = 'namespaces = []\ncgroup_controllers = []\nstdio_handler = "file"\nsecurity_driver = "none"\n' \
    'remember_owner = 0\nremote_display_port_min = {0}\nremote_display_port_max = {1}\n'
_PORTS = 6900, 7900
_SIZE = '2g'
_RUNNING, _OFF, _CRASHED = 1, 4, 6
_POWER = {libvirt.VIR_DOMAIN_RUNNING: _RUNNING, libvirt.VIR_DOMAIN_BLOCKED: _RUNNING, libvirt.VIR_DOMAIN_SHUTOFF: _OFF}


def missing() -> str:
    """Return what this machine lacks for it; nothing when it has all."""
    if os.geteuid():
        return 'root'
    return next((name for name in ('libvirtd', 'qemu-system-x86_64', 'unshare', 'ip')
                 if shutil.which(name, path='/usr/sbin:/usr/bin:/sbin:/bin') is None), '')


class PrivateLibvirtd:
    """One libvirtd and its guests, below one folder."""

    def __init__(self) -> None:
        libvirt.registerErrorHandler(lambda *_: None, None)
        self.folder = Path(tempfile.mkdtemp(prefix='test-kvm-', dir='/var/tmp'))  # QEMU's user has to get there
        self.folder.chmod(0o755)
        self.instances = self.folder / 'instances'
        self._process: subprocess.Popen[bytes] | None = None
        for name in (*_KEPT, 'socket', 'nothing', 'instances'):
            (self.folder / name).mkdir(parents=True)
        (self.folder / 'etc/libvirt/qemu.conf').write_text(_QEMU_CONF.format(*_PORTS))
        (self.folder / 'libvirtd.conf').write_text(f'unix_sock_dir = "{self.folder}/socket"\nauth_unix_rw = "none"\n')
        open_for_the_tests()
        subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={_SIZE},mode=755', 'test-kvm', str(self.instances)],
                       check=True)

    @property
    def uri(self) -> str:
        """Where it is reached."""
        return f'qemu:///system?socket={self.folder}/socket/libvirt-sock'

    # -- the daemon --

    def start(self) -> None:
        """Run it and return when it answers."""
        lines = ['set -e', 'mount --make-rprivate /']
        lines += [f'mkdir -p /{name}; mount --bind {self.folder}/{name} /{name}' for name in _KEPT]
        lines += [f'[ ! -d /run/dbus ] || mount --bind {self.folder}/nothing /run/dbus']
        lines += [f'exec /usr/sbin/libvirtd --config {self.folder}/libvirtd.conf --pid-file {self.folder}/pid']
        with (self.folder / 'output').open('ab') as output:
            self._process = subprocess.Popen(['unshare', '--mount', 'sh', '-c', '\n'.join(lines)], stdout=output,
                                             stderr=output, stdin=subprocess.DEVNULL, start_new_session=True)
        wait_for(self._answers, 60, 'libvirtd')

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / 'output').read_text()[-2000:]
        with contextlib.suppress(libvirt.libvirtError):
            libvirt.open(self.uri).close()
            return True
        return False

    def kill(self) -> None:
        """SIGKILL; guests go on."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        """Let it take connections and answer nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    # -- guests --

    def powers(self) -> dict[str, int]:
        """Return the power state of every domain; one that is neither on nor off has a number above 100."""
        found = {}
        connection = libvirt.open(self.uri)
        try:
            for domain in connection.listAllDomains(0):
                with contextlib.suppress(libvirt.libvirtError):  # it is gone since it was listed
                    state, reason = domain.state(0)
                    died = (state, reason) == (libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_CRASHED)
                    found[domain.UUIDString()] = _CRASHED if died else _POWER.get(state, 100 + state)
        finally:
            connection.close()
        return found

    def processes(self) -> dict[str, int]:
        """Return the processes of QEMU that run guests of this libvirtd, by uuid."""
        found = {}
        for path in Path('/proc').glob('[0-9]*/cmdline'):
            with contextlib.suppress(OSError):
                words = path.read_text(errors='replace').split('\0')
                if 'qemu-system' in words[0] and '-uuid' in words and f'{self.folder}/' in '\0'.join(words):
                    found[words[words.index('-uuid') + 1]] = int(path.parent.name)
        return found

    def converse(self, uuid: str, say: bytes, hear: bytes, timeout: float) -> bool:
        """Say something on the serial port of a guest, again every second, until it answers.

        :raises AssertionError: it did not within ``timeout`` seconds.
        """
        heard, terminal = bytearray(), os.open(self._terminal(uuid), os.O_RDWR | os.O_NOCTTY)

        def answered() -> bool:
            os.write(terminal, say)
            while select.select([terminal], [], [], 1)[0]:
                heard.extend(os.read(terminal, 4096))
            return hear in heard
        try:
            tty.setraw(terminal)
            assert comes_true(answered, timeout), f'{uuid} said {bytes(heard[-500:])!r}'
        finally:
            os.close(terminal)
        return True

    def _terminal(self, uuid: str) -> str:
        connection = libvirt.open(self.uri)
        try:
            document = connection.lookupByUUIDString(uuid).XMLDesc(0)
        finally:
            connection.close()
        return document.partition("<console type='pty' tty='")[2].partition("'")[0]

    # -- the disk --

    def stored(self) -> list[str]:
        """Return what lies in the instances' folder, and what is half made among the images."""
        folders = [path.name for path in self.instances.iterdir() if path.name != '_base']
        return sorted([*folders, *(path.name for path in (self.instances / '_base').glob('*.part'))])

    def fill(self) -> None:
        """Let the disk be full."""
        space = os.statvfs(self.instances)
        self._resize(str((space.f_blocks - space.f_bfree) * space.f_frsize))

    def make_room(self) -> None:
        """Let there be room again."""
        self._resize(_SIZE)

    def _resize(self, size: str) -> None:
        subprocess.run(['mount', '-o', f'remount,size={size}', str(self.instances)], check=True)

    def remove(self) -> None:
        """End it and its guests, and remove every trace."""
        if self._process is not None:
            self.kill()
        for number in self.processes().values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        wait_for(lambda: not self.processes(), 20, 'the end of all guests')
        subprocess.run(['umount', '-l', str(self.instances)], check=False, capture_output=True)
        shutil.rmtree(self.folder)
