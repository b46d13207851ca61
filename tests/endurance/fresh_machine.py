"""A machine with nothing installed but Debian and systemd, of a release that need not be this one's.

mmdebstrap makes its root once, in /var/tmp; each machine is an overlay on it. It has a network of its own with nothing
but a loopback interface, on which a proxy listens that downloads through this machine's network.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import select
import shutil
import socket
import subprocess
import threading
from typing import Any

from compute.builtin.network.agent.linux import setns
from tests.real.booted import Booted
from tests.real.stack import ROOT

CODE = '/srv/compute'
PROXY = 'http://127.0.0.1:3128'
PACKAGES = 'systemd,systemd-sysv,dbus,udev,iproute2,ca-certificates,python3,procps,kmod,netbase'
LEFT_OUT = ('.git', '.venv*', '.stack*', '__pycache__', '*.egg-info', '.mypy_cache', '.ruff_cache')
APT = 'Acquire::Check-Valid-Until "false";\nAcquire::Check-Date "false";\n'
CERTIFICATES = pathlib.Path('usr/local/share/ca-certificates')


def missing() -> str:
    """Return what this machine lacks for it; nothing when it has all."""
    if os.geteuid():
        return 'root'
    return next((name for name in ('mmdebstrap', 'systemd-nspawn', 'nsenter', 'ip') if shutil.which(name) is None), '')


class FreshMachine(Booted):
    """The machine; ``run`` commands with ``ENVIRONMENT`` where they download."""

    ENVIRONMENT = {'http_proxy': PROXY, 'https_proxy': PROXY, 'no_proxy': '127.0.0.1,localhost',
                   'PIP_CERT': '/etc/ssl/certs/ca-certificates.crt', 'DEBIAN_FRONTEND': 'noninteractive'}

    def __init__(self, folder: pathlib.Path, release: str) -> None:
        super().__init__(folder)
        self.release, self._listener = release, None

    def make(self) -> None:
        """Lay the file systems over one another, copy the checkout, make the network and the proxy."""
        lower, upper, work = root_of(self.release), self.folder / 'upper', self.folder / 'work'
        for folder in (upper, work, self.root):
            folder.mkdir(parents=True)
        subprocess.run(['mount', '-t', 'overlay', '-o', f'lowerdir={lower},upperdir={upper},workdir={work}',
                        'compute-test', str(self.root)], check=True)
        shutil.copytree(ROOT, self.root / CODE[1:], ignore=shutil.ignore_patterns(*LEFT_OUT), symlinks=True)
        shutil.copytree('/' / CERTIFICATES, self.root / CERTIFICATES, dirs_exist_ok=True)
        subprocess.run(['chroot', str(self.root), 'update-ca-certificates'], check=True, capture_output=True)
        (self.root / 'etc/apt/apt.conf.d/99test').write_text(APT)
        (self.root / 'etc/hosts').write_text(f'127.0.0.1 localhost {self.namespace}\n')
        subprocess.run(['ip', 'netns', 'add', self.namespace], check=True)
        subprocess.run(['ip', '-n', self.namespace, 'link', 'set', 'lo', 'up'], check=True)
        self._listener = self.inside_namespace()
        threading.Thread(target=_serve, args=(self._listener,), daemon=True).start()

    def binds(self) -> list[str]:
        """Return the device that guests' networks need; nothing else of this machine is seen."""
        return ['--bind=/dev/net/tun']

    def inside_namespace(self) -> socket.socket:
        """Return a socket that listens in the machine's network, before it is started."""
        made: list[socket.socket] = []

        def make() -> None:
            with open(f'/run/netns/{self.namespace}', 'rb') as namespace:
                setns.enter(namespace.fileno())
            made.append(socket.create_server(('127.0.0.1', int(PROXY.rpartition(':')[2])), backlog=64))
        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        return made[0]

    def remove(self) -> None:
        """End it and take away every trace."""
        super().remove()
        if self._listener is not None:
            self._listener.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def root_of(release: str) -> pathlib.Path:
    """Return the root of a release, made if it is not there yet."""
    root = pathlib.Path(f'/var/tmp/compute-test-root-{release}')
    if not root.exists():
        part = root.with_suffix('.part')
        shutil.rmtree(part, ignore_errors=True)
        mirrors = [f'deb http://deb.debian.org/debian {release} main',
                   f'deb http://deb.debian.org/debian {release}-updates main',
                   f'deb http://deb.debian.org/debian-security {release}-security main']
        subprocess.run(['mmdebstrap', '--variant=minbase', f'--include={PACKAGES}', release, str(part), *mirrors],
                       check=True, capture_output=True)
        part.rename(root)
    return root


def _serve(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it was closed
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_answer, args=(client,), daemon=True).start()


def _answer(client: socket.socket) -> None:
    """Pass one connection on: a tunnel for CONNECT, else one request by its absolute URL."""
    with client, contextlib.suppress(OSError, ValueError):
        head = b''
        while b'\r\n\r\n' not in head:
            head += client.recv(65536) or _end()
        head, _, rest = head.partition(b'\r\n\r\n')
        first, *headers = head.split(b'\r\n')
        method, url, _ = first.split()
        tunnel = method == b'CONNECT'
        place, _, path = (url if tunnel else url.partition(b'://')[2]).partition(b'/')
        name, _, port = place.decode().partition(':')
        with socket.create_connection((name, int(port or 80)), 60) as server:
            if tunnel:
                client.sendall(b'HTTP/1.1 200 OK\r\n\r\n')
            else:
                kept = [line for line in headers if not line.lower().startswith((b'proxy-', b'connection:'))]
                first = b'%s /%s HTTP/1.1' % (method, path)
                server.sendall(b'\r\n'.join([first, *kept, b'Connection: close']) + b'\r\n\r\n')
            server.sendall(rest)
            _pump(client, server)


def _pump(one: socket.socket, other: socket.socket) -> None:
    while True:
        for ready in select.select([one, other], [], [], 600)[0]:
            (other if ready is one else one).sendall(ready.recv(65536) or _end())


def _end() -> Any:
    raise OSError('the connection has ended')
