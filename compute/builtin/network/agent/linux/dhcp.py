"""Keeps one dnsmasq in the namespace of each network that hands out addresses.

It outlives the agent, which finds it again by its pid file and checks by command line and namespace that it is the
one. It is restarted only for what it cannot read again, and when an address went from one MAC to another while
dnsmasq still remembers the first one's lease.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import os
import select
import shutil
import signal
import stat
import subprocess
import threading

from compute import exception
from compute.builtin.network.agent import names
from compute.builtin.network.agent.linux import dhcp_files, namespaces
from compute.builtin.network.agent.linux.indexes import write_atomically
from compute.builtin.network.agent.linux.settings import Settings
from compute.objects.wiring import NetworkWiring

LOG = logging.getLogger(__name__)
PATIENCE = 10.0
RESOLVED = '/run/systemd/resolve/resolv.conf'


class Dhcp:
    """The dnsmasq processes of this host."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._user: str | None = None
        self._once = threading.Lock()

    def folder(self, network_id: str) -> str:
        """Return where the files of a network are."""
        return os.path.join(self._settings.state_dir, 'networks', network_id)

    def ensure(self, network: NetworkWiring) -> list[str]:
        """Let dnsmasq serve the network as stated; return what had to be done.

        :raises exception.Unavailable: when dnsmasq does not start, with its words.
        """
        if not dhcp_files.needed(network):
            return self.remove(network.id)
        folder = self.folder(network.id)
        os.makedirs(folder, mode=0o755, exist_ok=True)
        files = dhcp_files.make(network, dhcp_files.Place(folder, self._run_as(), resolv_file(),
                                                          self._settings.dns_servers))
        fresh = write_atomically(f'{folder}/config', files.config)
        again = [write_atomically(f'{folder}/{name}', text) for name, text in
                 (('hosts', files.hosts), ('options', files.options), ('names', files.names))]
        pid = self._running(network.id)
        stale = _stale_leases(folder, files.hosts)
        if pid and not fresh and not stale:
            if any(again):
                os.kill(pid, signal.SIGHUP)
                return [f'dhcp of {network.id} told to read its files again']
            return []
        if pid:
            _end(pid)
        _drop_leases(folder, stale)
        self._start(network.id, folder)
        why = 'its configuration changed' if pid and fresh else 'addresses moved' if pid else 'none ran'
        return [f'dhcp of {network.id} started: {why}']

    def remove(self, network_id: str) -> list[str]:
        """End a network's dnsmasq and remove its files; return what had to be done."""
        pid, folder = self._running(network_id), self.folder(network_id)
        if pid:
            _end(pid)
        if os.path.isdir(folder):
            shutil.rmtree(folder)
            return [f'dhcp of {network_id} removed']
        return []

    def known(self) -> set[str]:
        """Return the networks that have files here."""
        with contextlib.suppress(FileNotFoundError):
            return set(os.listdir(os.path.join(self._settings.state_dir, 'networks')))
        return set()

    def _start(self, network_id: str, folder: str) -> None:
        command = [self._settings.dnsmasq, f'--conf-file={folder}/config']
        try:
            done = namespaces.run_in(names.namespace(network_id), _run, command)
        except FileNotFoundError as error:
            raise exception.Unavailable(f'{self._settings.dnsmasq} is not installed', hint='install dnsmasq-base'
                                        ) from error
        if done.returncode:
            raise exception.Unavailable(f'dnsmasq of network {network_id} does not start: {done.stderr.strip()[:300]}')

    def _running(self, network_id: str) -> int:
        folder = self.folder(network_id)
        mark = f'--conf-file={folder}/config'.encode()
        pid = _pid_in(f'{folder}/pid')
        if mark not in _arguments(pid):
            # The pid file may be gone, or a lie after a reboot; two of them on one address would not do.
            pid = next((other for other in _pids() if mark in _arguments(other)), 0)
        if pid and _namespace_of(pid) != namespaces.inode(names.namespace(network_id)):
            LOG.warning('dnsmasq %d of network %s serves a namespace that is no more', pid, network_id)
            _end(pid)
            return 0
        return pid

    def _run_as(self) -> str:
        with self._once:  # networks are made at the same time
            if self._user is None:
                os.makedirs(self._settings.state_dir, mode=0o755, exist_ok=True)
                self._user = self._settings.dnsmasq_user
                if self._user != 'root' and (closed := _closed(self._settings.state_dir)):
                    LOG.warning('dnsmasq runs as root, since others may not enter %s', closed)
                    self._user = 'root'
            return self._user


def resolv_file() -> str:
    """Return the file with the name servers of this host, not that of a resolver on the loopback interface."""
    return RESOLVED if os.path.exists(RESOLVED) else '/etc/resolv.conf'


def _closed(path: str) -> str | None:
    while True:
        if not os.stat(path).st_mode & stat.S_IXOTH:
            return path
        if path == '/':
            return None
        path = os.path.dirname(path)


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE,
                          check=False)


def _end(pid: int) -> None:
    """End a process and wait until it is gone: the next one needs its sockets."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        for number, patience in ((signal.SIGTERM, 2.0), (signal.SIGKILL, 2.0)):
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, number)
            if _ended(descriptor, patience):
                return
    finally:
        os.close(descriptor)


def _ended(descriptor: int, patience: float) -> bool:
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return bool(poller.poll(patience * 1000))


def _pid_in(path: str) -> int:
    try:
        with open(path, encoding='ascii') as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0


def _pids() -> list[int]:
    return [int(name) for name in os.listdir('/proc') if name.isdecimal()]


def _arguments(pid: int) -> list[bytes]:
    try:
        with open(f'/proc/{pid}/cmdline', 'rb') as file:
            return file.read().split(b'\0')
    except OSError:
        return []


def _namespace_of(pid: int) -> int:
    try:
        return os.stat(f'/proc/{pid}/ns/net').st_ino
    except OSError:
        return 0


def _leases(folder: str) -> list[list[str]]:
    try:
        with open(f'{folder}/leases', encoding='utf-8') as file:
            return [line.split() for line in file]
    except FileNotFoundError:
        return []


def _stale_leases(folder: str, hosts: str) -> set[str]:
    """Return addresses whose lease is another MAC's than the hosts file says."""
    owners = {}
    for line in hosts.splitlines():
        mac, *rest = line.split(',')
        owners.update({field: mac for field in rest if _is_ipv4(field)})
    return {words[2] for words in _leases(folder)
            if len(words) >= 4 and words[2] in owners and words[1].lower() != owners[words[2]]}


def _drop_leases(folder: str, addresses: set[str]) -> None:
    if addresses:
        kept = [words for words in _leases(folder) if len(words) < 3 or words[2] not in addresses]
        write_atomically(f'{folder}/leases', ''.join(f'{" ".join(words)}\n' for words in kept))


def _is_ipv4(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 4
    except ValueError:
        return False
