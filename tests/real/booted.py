"""A machine that systemd runs, booted from this one's own programs in a second or two; for tests/real/test_systemd.py.

systemd-nspawn starts it on an overlay: below is this machine's root, read-only, above a file system in memory that is
gone afterwards. What this machine would start at its boot is masked. It has a network of its own with nothing but a
loopback interface, so ports of other tests are not in its way. The checkout and the Python environment of the tests
appear below /opt, wherever they are here: units could not read them below /root, /tmp or a home that is closed.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from compute.builtin.network.agent.linux import setns
from tests.real.control_groups import ControlGroups
from tests.real.stack import ROOT
from tests.waiting import LONG, comes_true

T = TypeVar('T')
SOURCE, PROGRAMS = '/opt/compute-source', '/opt/compute-tests'  # the checkout, the Python environment
PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
# What a distribution's packages may have enabled, and what has no place in a container.
MASKED = (
    'apt-daily.service', 'apt-daily-upgrade.service', 'console-getty.service', 'containerd.service', 'cron.service',
    'docker.service', 'e2scrub_reap.service', 'epmd.service', 'epmd.socket', 'getty@tty1.service', 'libvirtd.service',
    'libvirtd.socket', 'libvirtd-ro.socket', 'libvirtd-admin.socket', 'libvirt-guests.service', 'mariadb.service',
    'postgresql.service', 'rabbitmq-server.service', 'ssh.service', 'systemd-networkd.service',
    'systemd-resolved.service', 'systemd-timesyncd.service', 'systemd-udevd.service')
# Of this machine, and not to be seen there.
EMPTY = ('etc/systemd/system', 'usr/local/lib/systemd', 'usr/local/lib/sysusers.d', 'usr/local/lib/tmpfiles.d',
         'var/lib/mysql', 'var/lib/rabbitmq', 'var/log', 'var/tmp')
ABSENT = ('etc/compute', 'var/lib/compute')


def missing() -> str:
    """Return what this machine lacks for it; nothing when it has all."""
    if os.geteuid():
        return 'root'
    return next((name for name in ('systemd-nspawn', 'systemd-analyze', 'nsenter', 'ip')
                 if shutil.which(name, path=PATH) is None), '')


class Booted:
    """The machine. ``make`` and ``start`` it; ``remove`` it whatever happened."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder, self.root = folder, folder / 'root'
        self.namespace = f'compute-test-{os.getpid()}'
        self._process: subprocess.Popen[bytes] | None = None
        # Where systemd runs this machine, it gives a container its groups.
        self._groups = None if os.path.isdir('/run/systemd/system') else ControlGroups(self.namespace)

    def make(self) -> None:
        """Lay the file systems over one another and make the network."""
        self.folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=3g,mode=755', 'compute-test', str(self.folder)], check=True)
        upper, work = self.folder / 'upper', self.folder / 'work'
        for folder in (upper, work, self.root):
            folder.mkdir()
        for name in EMPTY:
            (upper / name).mkdir(parents=True)
            os.setxattr(upper / name, 'trusted.overlay.opaque', b'y')
        (upper / 'var/tmp').chmod(0o1777)
        for name in MASKED:
            (upper / 'etc/systemd/system' / name).symlink_to('/dev/null')
        # Containers have no udev that would make it.
        (upper / 'etc/tmpfiles.d').mkdir()
        (upper / 'etc/tmpfiles.d/test.conf').write_text('d /dev/net 0755\nc! /dev/net/tun 0600 - - - 10:200\n')
        subprocess.run(['mount', '-t', 'overlay', '-o', f'lowerdir=/,upperdir={upper},workdir={work}', 'compute-test',
                        str(self.root)], check=True)
        for name in ABSENT:
            shutil.rmtree(self.root / name, ignore_errors=True)
        self._make_environment()
        self._open_ways()
        subprocess.run(['ip', 'netns', 'add', self.namespace], check=True)
        subprocess.run(['ip', '-n', self.namespace, 'link', 'set', 'lo', 'up'], check=True)

    def _make_environment(self) -> None:
        """Make an environment of the tests' packages whose programs name it and not this machine's."""
        target, ours = self.root / PROGRAMS[1:], pathlib.Path(sys.prefix)
        (target / 'bin').mkdir(parents=True)
        shutil.copy(ours / 'pyvenv.cfg', target)
        for name in ('lib', 'include'):
            (target / name).mkdir()
        for path in (ours / 'bin').iterdir():
            there = target / 'bin' / path.name
            if path.is_symlink():
                there.symlink_to(os.readlink(path))
            elif path.name.startswith(('compute-', 'openstack', 'python')):
                there.write_bytes(_with_interpreter(path.read_bytes(), f'{PROGRAMS}/bin/python'))
                there.chmod(0o755)
        (self.root / SOURCE[1:]).mkdir(parents=True)

    def _open_ways(self) -> None:
        """Let users other than root reach a Python that is not the distribution's."""
        for path in self._base():
            for parent in pathlib.Path(path).parents:
                there = self.root / parent.relative_to('/')
                if there.is_dir() and not there.stat().st_mode & 0o001:
                    there.chmod(there.stat().st_mode | 0o011)

    @staticmethod
    def _base() -> list[str]:
        return [] if sys.base_prefix == '/usr' else [sys.base_prefix]

    def binds(self) -> list[str]:
        """Return the options of systemd-nspawn for what of this machine is seen there."""
        return [*(f'--bind-ro={_quoted(path)}' for path in self._base()),
                f'--bind-ro={_quoted(str(ROOT))}:{SOURCE}', f'--bind-ro={_quoted(sys.prefix)}/lib:{PROGRAMS}/lib']

    def start(self) -> None:
        """Boot it and return when systemd is done."""
        command = ['systemd-nspawn', '--register=no', '--quiet', f'--directory={self.root}', '--boot',
                   '--console=pipe', f'--network-namespace-path=/run/netns/{self.namespace}',
                   f'--machine={self.namespace}', '--capability=all', *self.binds()]
        if self._groups is not None:
            command = self._groups.command(*command, '--keep-unit')
        with (self.folder / 'console').open('ab') as console:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True)
        # nspawn closes the kernel's settings, of which those of the network are this machine's own.
        self.until('there is no first process', lambda: self.pid, 10)
        self.until('/proc/sys stays closed', lambda: subprocess.run(
            ['nsenter', '-t', str(self.pid), '-m', 'mount', '-o', 'remount,bind,rw', '/proc/sys'], check=False,
            capture_output=True).returncode == 0, 20)
        self.until('systemd is not up', lambda: self.run('systemctl', 'is-system-running', check=False).strip() in (
            'running', 'degraded'), 60)
        if self._groups is not None:
            self.run(*self._groups.writable())

    @property
    def pid(self) -> int:
        """The number of its first process, here."""
        assert self._process is not None
        children = pathlib.Path(f'/proc/{self._process.pid}/task/{self._process.pid}/children').read_text().split()
        return int(children[0]) if children else 0

    def run(self, *command: str, check: bool = True, seconds: float = 60,
            environment: dict[str, str] | None = None) -> str:
        """Run a command as its root and return what it printed. :raises AssertionError: it failed."""
        words = ['nsenter', '-t', str(self.pid), '-a', 'env', '-i', f'PATH={PATH}', 'HOME=/root', 'LC_ALL=C.UTF-8',
                 *(f'{key}={value}' for key, value in (environment or {}).items()), *command]
        done = subprocess.run(words, capture_output=True, text=True, timeout=max(seconds, LONG), check=False, cwd='/',
                              stdin=subprocess.DEVNULL)
        assert not check or done.returncode == 0, f'{command}: {done.stdout[-2000:]}\n{done.stderr[-2000:]}'
        return done.stdout

    def inside(self, function: Callable[..., T], *args: Any) -> T:
        """Call ``function`` in a thread that is in the machine's network, and return or raise what it does."""
        results: list[T] = []
        errors: list[BaseException] = []

        def run() -> None:
            try:
                with open(f'/run/netns/{self.namespace}', 'rb') as namespace:
                    setns.enter(namespace.fileno())
                results.append(function(*args))
            except BaseException as error:
                errors.append(error)
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        if errors:
            raise errors[0]
        return results[0]

    def power_off(self) -> None:
        """Have systemd stop everything and end."""
        assert self._process is not None
        self.run('systemctl', 'poweroff', check=False)
        self._process.wait(2 * LONG)

    def remove(self) -> None:
        """End it and take away every trace; does what it can, whatever state it is in."""
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)  # its first process: the kernel ends all others with it
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
            self._process.kill()
            self._process.wait()
        if self._groups is not None:
            self._groups.remove()
        for path in (self.root, self.folder):
            subprocess.run(['umount', '-R', '-l', str(path)], check=False, capture_output=True)
        subprocess.run(['ip', 'netns', 'del', self.namespace], check=False, capture_output=True)
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    @staticmethod
    def until(what: str, condition: Callable[[], T], seconds: float) -> T:
        """Wait for a condition and return what it is. :raises AssertionError: it is not in time."""
        seconds = max(seconds, LONG)
        found = comes_true(condition, seconds)
        assert found, f'{what} after {seconds:.0f} s'
        return found  # type: ignore[no-any-return]


def _quoted(path: str) -> str:
    """Return a path as ``--bind-ro`` wants it, where a colon ends one."""
    return path.replace('\\', '\\\\').replace(':', '\\:')


def _with_interpreter(program: bytes, python: str) -> bytes:
    """Return an installed script with another Python; pip writes three lines where the path of its own has blanks."""
    lines = program.split(b'\n')
    rest = lines[3:] if lines[0] == b'#!/bin/sh' else lines[1:]
    return b'\n'.join([f'#!{python}'.encode(), *rest])
