"""A stack under test: tools/stack.sh with a folder of its own, the openstack client, what of it is on this machine."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
from typing import Any

from tests.waiting import LONG, wait_until

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
STACK = ROOT / 'tools' / 'stack.sh'


class Stack:
    """One stack. ``own_environment`` lets it make its Python environment itself, as on a fresh machine."""

    def __init__(self, folder: pathlib.Path, port_base: int, own_environment: bool = False) -> None:
        self.folder, self._port_base = folder, port_base
        self.environment = {**os.environ, 'STACK_DIR': str(folder), 'STACK_UNITS': 'no', 'HOME': str(folder.parent)}
        if not own_environment:
            self.environment['STACK_VENV'] = str(pathlib.Path(sys.executable).parent.parent)
        if image := os.environ.get('COMPUTE_TEST_GUEST_IMAGE'):
            self.environment['STACK_IMAGE'] = image

    def up(self, *options: str) -> str:
        """Run stack.sh and return what it printed. :raises AssertionError: it failed."""
        return self._run(*options, '--port-base', str(self._port_base), seconds=1800)

    def again(self) -> str:
        """Run it once more, without options."""
        return self._run(seconds=900)

    def down(self) -> str:
        """Take it down."""
        return self._run('down', seconds=600)

    def status(self) -> str:
        """Return what ``stack.sh status`` prints; it fails when something is not up."""
        return self._run('status', seconds=300)

    def manage(self, *words: str) -> str:
        """Return what ``stack.sh manage`` prints."""
        return self._run('manage', *words, seconds=300)

    def _run(self, *words: str, seconds: float) -> str:
        done = subprocess.run([str(STACK), *words], capture_output=True, text=True, timeout=seconds, check=False,
                              env=self.environment, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, f'{words}: {done.stdout}\n{done.stderr}'
        return done.stdout

    def openstack(self, line: str, cloud: str = 'demo') -> Any:
        """Run the openstack client and return its answer."""
        venv = self.environment.get('STACK_VENV', str(self.folder / 'venv'))
        words = [f'{venv}/bin/openstack', '--os-cloud', cloud, *line.split()]
        json_answer = not line.startswith(('server stop', 'server start', 'server reboot', 'server delete',
                                           'console log'))
        done = subprocess.run([*words, *(('-f', 'json') if json_answer else ())], capture_output=True, text=True,
                              timeout=LONG, check=False,
                              env={**self.environment, 'OS_CLIENT_CONFIG_FILE': str(self.folder / 'clouds.yaml')})
        assert done.returncode == 0, f'openstack {line}: {done.stderr}'
        return json.loads(done.stdout) if json_answer else done.stdout

    def becomes(self, server: str, status: str, seconds: float = 90) -> None:
        """Wait until a server has a status."""
        def reached() -> bool:
            seen = self.openstack(f'server show {server}')['status']
            assert seen != 'ERROR', f'{server} is in ERROR'
            return bool(seen == status)
        wait_until(reached, f'{server} in {status}', seconds)

    def vanishes(self, server: str, seconds: float = 60) -> None:
        """Wait until a server is listed no more."""
        wait_until(lambda: server not in {row['Name'] for row in self.openstack('server list')},
                   f'the end of {server}', seconds)

    def ssh(self, address: str, command: str) -> str:
        """Run a command in a guest as its user; retried until the guest lets us in."""
        def login() -> subprocess.CompletedProcess[str] | None:
            done = subprocess.run(
                ['ssh', '-i', str(self.folder / 'demo_key'), '-o', 'BatchMode=yes', '-o', 'StrictHostKeyChecking=no',
                 '-o', 'UserKnownHostsFile=/dev/null', '-o', 'LogLevel=ERROR', '-o', 'ConnectTimeout=5',
                 f'debian@{address}', command], capture_output=True, text=True, timeout=LONG, check=False)
            return done if done.returncode == 0 else None
        return str(wait_until(login, f'a login to {address}', 300).stdout)

    def rows(self) -> dict[str, int]:
        """Return how many there are of what a second run would make again if it made anything."""
        counts = {}
        for line in ('server list', 'image list', 'network list', 'keypair list', 'subnet list',
                     'security group rule list', 'port list'):
            counts[line] = len(self.openstack(line))
        counts['flavor list'] = len(self.openstack('flavor list --all', 'admin'))
        counts['user list'] = len(self.openstack('user list', 'admin'))
        return counts

    def traces(self) -> dict[str, list[str]]:
        """Return what there is of the stack on this machine, by kind; nothing after ``down``."""
        return {
            'processes': processes(f'{self.folder}/'),
            'mounts': [line.split()[4] for line in pathlib.Path('/proc/self/mountinfo').read_text().splitlines()
                       if line.split()[4].startswith(f'{self.folder}/')],
            'files': [str(path) for path in self.folder.glob('*')],
            'domains': [name for name in virsh('list', '--all', '--name').split()
                        if f'{self.folder}/' in virsh('dumpxml', name)],
        }


class Machine:
    """What is on this machine that a stack makes: compared before and after."""

    @staticmethod
    def state() -> dict[str, list[str]]:
        """Return interfaces, namespaces, nft tables, bridges and dnsmasq processes."""
        return {
            'interfaces': sorted(row['ifname'] for row in json.loads(output('ip', '-j', 'link'))),
            'namespaces': sorted(re.findall(r'^cnet-\S+', output('ip', 'netns'), re.M)),
            'tables': sorted(re.findall(r'cnet_\w+', output('nft', 'list', 'tables'))),
            'routes': sorted(line for line in output('ip', '-4', 'route').splitlines() if '10.20.0.0' in line),
        }


def processes(text: str) -> list[str]:
    """Return the command lines that contain a text."""
    found = []
    for path in pathlib.Path('/proc').glob('[0-9]*/cmdline'):
        try:
            line = path.read_text(errors='replace').replace('\0', ' ')
        except OSError:
            continue
        if text in line and 'pytest' not in line:
            found.append(line)
    return found


def virsh(*words: str) -> str:
    """Ask libvirt."""
    return output('virsh', '-q', '-c', 'qemu:///system', *words)


def output(*command: str) -> str:
    """Return what a program prints, nothing if it fails."""
    return subprocess.run(command, capture_output=True, text=True, timeout=LONG, check=False).stdout
