"""A network namespace in which an agent may do what it wants, and guests with a tap each, for tests of the agent.

The test's main thread moves into a namespace of its own, and everything that it starts with it. A guest is a namespace
too; a thread carries frames between its interface and the tap that the agent made, as QEMU would.
"""

from __future__ import annotations

import ctypes
import fcntl
import http.client
import os
import select
import socket
import struct
import subprocess
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from compute.builtin.network.agent import names
from compute.builtin.network.agent.linux import namespaces, setns
from compute.objects.wiring import PortWiring

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454ca, 0x0002, 0x1000
LEASED = '''#!/bin/sh
[ "$1" = bound ] || exit 0
env > "$LEASE_FILE"
ip addr replace "$ip/$mask" dev "$interface"
[ -n "$router" ] && ip route replace default via "$router"
set -- $staticroutes
while [ $# -ge 2 ]; do
  [ "$2" = 0.0.0.0 ] && ip route replace "$1" dev "$interface" || ip route replace "$1" via "$2"
  shift 2
done
exit 0
'''


@contextmanager
def own_network() -> Iterator[None]:
    """Move this thread into a fresh network namespace for a while."""
    home = os.open('/proc/thread-self/ns/net', os.O_RDONLY | os.O_CLOEXEC)
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.unshare(setns.CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
    try:
        run('ip', 'link', 'set', 'lo', 'up')
        yield
    finally:
        setns.enter(home)
        os.close(home)


def run(*command: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program in this thread's namespace."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, env={**os.environ, **environment},
                          check=False)
    assert not check or done.returncode == 0, f'{command}: {done.stdout} {done.stderr}'
    return done


class Guest:
    """One guest on a port that is wired."""

    def __init__(self, port: PortWiring, folder: str) -> None:
        self.port = port
        self.namespace = f'cguest-{uuid.uuid4().hex[:8]}'
        self.lease_file = f'{folder}/{self.namespace}.lease'
        self._script = f'{folder}/leased'
        if not os.path.exists(self._script):
            with open(self._script, 'w', encoding='ascii') as file:
                file.write(LEASED)
            os.chmod(self._script, 0o755)
        namespaces.ensure(self.namespace)
        tap = _open_tap(names.tap(port.id))
        inside = namespaces.run_in(self.namespace, _open_tap, 'eth0')
        self._stop = os.pipe()
        self._pump = threading.Thread(target=_carry, args=(tap, inside, self._stop[0]), daemon=True)
        self._pump.start()
        self.run('ip', 'link', 'set', 'lo', 'up')
        self.run('ip', 'link', 'set', 'eth0', 'address', port.mac, 'up')

    def run(self, *command: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a program in the guest."""
        return namespaces.run_in(self.namespace, lambda: run(*command, check=check, **environment))

    def dhcp(self) -> dict[str, str]:
        """Ask for an address and return what came with it."""
        self.run('busybox', 'udhcpc', '-i', 'eth0', '-n', '-q', '-f', '-t', '60', '-T', '1', '-s', self._script,
                 '-O', 'staticroutes', '-O', 'mtu', '-O', 'domain', LEASE_FILE=self.lease_file)
        with open(self.lease_file, encoding='utf-8') as file:
            return dict(line.rstrip('\n').split('=', 1) for line in file if '=' in line)

    def configure(self, gateway: str = '') -> None:
        """Take the port's address without asking."""
        self.run('ip', 'addr', 'replace', f'{self.port.fixed_ips[0].address}/24', 'dev', 'eth0')
        if gateway:
            self.run('ip', 'route', 'replace', 'default', 'via', gateway)

    def pings(self, address: str, source: str = '', patience: int = 60, flow: int = 0) -> bool:
        """Tell whether an address answers within some seconds; equal ``flow`` makes equal packets."""
        extra = [*(['-I', source] if source else []), *(['-e', str(flow)] if flow else [])]
        done = self.run('ping', '-c', '1', '-w', str(patience), '-i', '0.2', *extra, address, check=False)
        return done.returncode == 0

    def send(self, *frames: bytes) -> None:
        """Send raw frames."""
        def write() -> None:
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
                raw.bind(('eth0', 0))
                for frame in frames:
                    raw.send(frame)
        namespaces.run_in(self.namespace, write)

    def listen(self) -> socket.socket:
        """Return a raw socket with all frames that arrive from now on."""
        def listen() -> socket.socket:
            raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            raw.bind(('eth0', 3))
            raw.settimeout(120)
            return raw
        return namespaces.run_in(self.namespace, listen)

    def connects(self, address: str, port: int) -> bool:
        """Tell whether a TCP port answers."""
        return self.run('busybox', 'nc', '-w', '2', address, str(port), '-e', 'true', check=False).returncode == 0

    def http(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        """Ask the metadata address."""
        def ask() -> tuple[int, bytes]:
            connection = http.client.HTTPConnection(names.METADATA_ADDRESS, 80, timeout=120)
            try:
                connection.request(method, path, body, {name.replace('__', '-'): v for name, v in headers.items()})
                answer = connection.getresponse()
                return answer.status, answer.read()
            finally:
                connection.close()
        return namespaces.run_in(self.namespace, ask)

    def stop(self) -> None:
        """Switch the guest off."""
        os.write(self._stop[1], b'x')
        self._pump.join()
        for descriptor in self._stop:
            os.close(descriptor)
        namespaces.remove(self.namespace)


def _open_tap(name: str) -> int:
    descriptor = os.open('/dev/net/tun', os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack('16sH22x', name.encode(), IFF_TAP | IFF_NO_PI))
    return descriptor


def _carry(one: int, other: int, stop: int) -> None:
    across = {one: other, other: one}
    try:
        while True:
            ready, _, _ = select.select([one, other, stop], [], [])
            if stop in ready:
                return
            for descriptor in ready:
                try:
                    os.write(across[descriptor], os.read(descriptor, 65536))
                except OSError:
                    if not _alive(one):
                        return
    finally:
        os.close(one)
        os.close(other)


def _alive(tap: int) -> bool:
    try:
        os.read(tap, 0)
    except BlockingIOError:
        return True
    except OSError as error:
        return error.errno != 77
    return True
