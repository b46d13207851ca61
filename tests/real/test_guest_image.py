"""The guest image on a bare QEMU: no libvirt, no network of ours, no privileges.

What the other real tests rely on is shown here alone, so that a failure there
need not be looked for in the guest. COMPUTE_TEST_GUEST_IMAGE names a ready
image; without it one is built (packages stay in the builder's cache).
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pycdlib
import pytest

from tests.waiting import comes_true, wait_until

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BUILDER = REPOSITORY / 'tools' / 'build_guest_image'
JSON_AWK = REPOSITORY / 'tools/guest_image/rootfs/usr/lib/guest/json.awk'

BOOT_DEADLINE = 300.0
USER_DATA = '#!/bin/bash\necho "user data of $(hostname)" >/root/ran\n'

# What slirp runs for each connection to 169.254.169.254:80, with the connection
# as stdin and stdout. The first request fails: the guest has to be patient.
METADATA_SERVICE = """
import pathlib, sys
here = pathlib.Path(sys.argv[0]).parent
path = sys.stdin.readline().split()[1]
while sys.stdin.readline().strip():
    pass
seen = here / 'requests'
first = not seen.exists()
with seen.open('a') as log:
    log.write(path + '\\n')
document = here / path.rsplit('/', 1)[-1]
if first:
    status, body = '503 Service Unavailable', ''
elif document.exists():
    status, body = '200 OK', document.read_text()
else:
    status, body = '404 Not Found', ''
sys.stdout.write(f'HTTP/1.0 {status}\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n{body}')
"""


def wait_for(what: str, probe: Callable[[], Any], deadline: float) -> Any:
    """Return the first true value of `probe`; a `deadline` of some seconds is raised to minutes."""
    return wait_until(probe, what, deadline)


def run(*call: str, stdin: str = '', timeout: float = 180) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; the caller looks at its exit status."""
    return subprocess.run(
        call, input=stdin, capture_output=True, text=True, timeout=timeout, check=False
    )


def connect(path: pathlib.Path) -> socket.socket | None:
    """Connect to a Unix socket, or return None while nobody listens there."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(180)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        return None
    return connection


class Monitor:
    """As much of QMP as the tests need; events are kept in `events`."""

    def __init__(self, connection: socket.socket) -> None:
        self.events: list[str] = []
        self._socket = connection
        self._lines = self._socket.makefile('r')
        self._lines.readline()
        self.command('qmp_capabilities')

    def command(self, name: str, **arguments: Any) -> Any:
        request = {'execute': name, 'arguments': arguments}
        self._socket.sendall(json.dumps(request).encode() + b'\n')
        for line in self._lines:
            reply = json.loads(line)
            if 'event' in reply:
                self.events.append(reply['event'])
                continue
            assert 'error' not in reply, reply
            return reply['return']
        raise AssertionError(f'QEMU closed its monitor during {name}')

    def drain(self) -> None:
        """Read events until QEMU has closed the connection."""
        self.events += [json.loads(line)['event'] for line in self._lines]

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


class Guest:
    """A running QEMU with its console file, its monitor and its ssh port."""

    def __init__(self, folder: pathlib.Path, arguments: list[str]) -> None:
        self._console = folder / 'console.log'
        self._key = folder / 'key'
        qmp = folder / 'qmp'
        self.process = subprocess.Popen(
            ['qemu-system-x86_64', '-machine', 'pc,accel=tcg', '-m', '160']
            + ['-display', 'none', '-no-user-config', '-device', 'virtio-rng-pci']
            + ['-serial', f'file:{self._console}', '-qmp', f'unix:{qmp},server=on,wait=off']
            + arguments,
            stdin=subprocess.DEVNULL,
        )
        try:
            self.monitor = Monitor(wait_for('monitor', lambda: connect(qmp), 10))
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        if hasattr(self, 'monitor'):
            self.monitor.close()
        self.process.kill()
        self.process.wait()

    def console(self) -> str:
        return self._console.read_text(errors='replace')

    def wait_for_line(self, pattern: str) -> re.Match[str]:
        """Wait until the console shows `pattern`; say what it showed if it does not."""
        def shown() -> re.Match[str] | None:
            assert self.process.poll() is None, f'QEMU has ended\n{self.console()[-2000:]}'
            return re.search(pattern, self.console())
        found: re.Match[str] | None = comes_true(shown, BOOT_DEADLINE)
        assert found, f'no "{pattern}" in\n{self.console()[-2000:]}'
        return found

    def ssh(self, user: str, command: str) -> str:
        """Run a command in the guest; ssh is there soon after "boot done"."""
        table = self.monitor.command('human-monitor-command', **{'command-line': 'info usernet'})
        port = re.findall(r'HOST_FORWARD\S*\s+\S+\s+\S+\s+(\d+)', table)[0]
        options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'BatchMode=yes']
        options += ['ConnectTimeout=5', 'LogLevel=ERROR', 'IdentitiesOnly=yes']
        call = ['ssh', '-F', 'none', '-i', str(self._key), '-p', port, f'{user}@127.0.0.1']
        call[1:1] = [word for option in options for word in ('-o', option)]

        def attempt() -> subprocess.CompletedProcess[str] | None:
            done = run(*call, command)
            return done if done.returncode != 255 else None

        answer = wait_for('ssh login', attempt, 20)
        assert answer.returncode == 0, answer.stderr
        return str(answer.stdout).strip()


@pytest.fixture(scope='module')
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pathlib.Path]:
    """Yield the path of a guest image, built unless the environment names one."""
    ready = os.environ.get('COMPUTE_TEST_GUEST_IMAGE')
    if ready:
        yield pathlib.Path(ready).resolve()
        return
    folder = tmp_path_factory.mktemp('image')
    output = folder / 'guest.qcow2'
    for expected in ('done:', 'is up to date'):
        built = run(str(BUILDER), '--output', str(output), timeout=1200)
        assert built.returncode == 0, built.stderr
        assert expected in built.stdout
    yield output
    shutil.rmtree(folder)


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yield a folder with a new ssh key in it, removed afterwards."""
    call = ['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'test key', '-f']
    subprocess.run([*call, str(tmp_path / 'key')], check=True)
    yield tmp_path
    shutil.rmtree(tmp_path)


def meta_data(folder: pathlib.Path, name: str) -> str:
    """Write meta_data.json with what has misled a careless reader of it."""
    return json.dumps(
        {
            'project_uuid': 'not-the-uuid',
            'meta': {'hostname': 'not-the-name', 'uuid': 'nested', 'quote': 'a "b" \\'},
            'devices': [{'uuid': 'in-a-list'}],
            'public_keys': {'mine': (folder / 'key.pub').read_text()},
            'uuid': f'uuid-of-{name}',
            'hostname': f'{name}.novalocal',
        },
        indent=2,
    )


def config_drive(folder: pathlib.Path, name: str) -> pathlib.Path:
    """Make an ISO 9660 config drive the way Compute makes one."""
    iso = pycdlib.PyCdlib()
    iso.new(interchange_level=4, joliet=3, rock_ridge='1.09', vol_ident='config-2')
    for path in ('/openstack', '/openstack/latest'):
        iso.add_directory(path.upper(), rr_name=path.rsplit('/', 1)[1], joliet_path=path)
    documents = {'meta_data.json': meta_data(folder, name), 'user_data': USER_DATA}
    for number, (document, text) in enumerate(documents.items()):
        source = folder / document
        source.write_text(text)
        iso.add_file(
            str(source),
            f'/OPENSTACK/LATEST/F{number}.;1',
            rr_name=document,
            joliet_path=f'/openstack/latest/{document}',
        )
    iso.write(str(folder / 'config.iso'))
    iso.close()
    return folder / 'config.iso'


@contextlib.contextmanager
def booted(
    image: pathlib.Path, folder: pathlib.Path, network: str, *arguments: str
) -> Iterator[Guest]:
    """Boot a 1 GiB overlay of the image; whatever happens, QEMU ends with the block."""
    disk = folder / 'disk.qcow2'
    call = ['qemu-img', 'create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b', str(image)]
    subprocess.run([*call, str(disk), '1G'], check=True)
    forward = 'hostfwd=tcp:127.0.0.1:0-:22'
    words = ['-drive', f'file={disk},if=virtio', *arguments]
    words += ['-nic', f'user,model=virtio-net-pci,{forward}{network}']
    guest = Guest(folder, words)
    try:
        yield guest
    finally:
        guest.stop()


def test_config_drive_ssh_and_power_button(image: pathlib.Path, folder: pathlib.Path) -> None:
    iso = config_drive(folder, 'from-drive')
    drive = f'file={iso},media=cdrom,readonly=on'
    with booted(image, folder, '', '-drive', drive) as guest:
        guest.wait_for_line('guest: boot done')
        guest.wait_for_line('guest: metadata from config-drive hostname from-drive')
        guest.wait_for_line('guest: user_data exit 0')
        assert guest.ssh('root', 'cat /root/ran') == 'user data of from-drive'
        assert guest.ssh('debian', 'id -un') == 'debian'
        assert int(guest.ssh('root', "df -m / | awk 'END { print $2 }'")) > 900

        guest.monitor.command('system_powerdown')
        guest.process.wait(timeout=180)
        guest.monitor.drain()
        assert 'SHUTDOWN' in guest.monitor.events
        assert 'guest: power button' in guest.console()


def test_metadata_service(image: pathlib.Path, folder: pathlib.Path) -> None:
    (folder / 'service.py').write_text(METADATA_SERVICE)
    (folder / 'meta_data.json').write_text(meta_data(folder, 'from-service'))
    (folder / 'user_data').write_text(USER_DATA)
    command = f'{sys.executable} {folder}/service.py'
    network = f',net=169.254.169.0/24,guestfwd=tcp:169.254.169.254:80-cmd:{command}'
    with booted(image, folder, network) as guest:
        guest.wait_for_line('guest: boot done')
        guest.wait_for_line('guest: metadata from metadata hostname from-service')
        assert guest.ssh('root', 'cat /root/ran') == 'user data of from-service'
    asked = (folder / 'requests').read_text().split()
    assert asked[:2] == ['/openstack/latest/meta_data.json'] * 2
    assert asked[2:] == ['/openstack/latest/user_data']


@pytest.mark.skipif(not shutil.which('busybox'), reason='needs busybox, the awk of the guest')
@pytest.mark.parametrize(
    'text, want, found',
    [
        ('{"uuid":"a"}', '^/uuid$', ['a']),
        ('{ "x_uuid" : "b",\n "m": {"uuid": "c"}, "uuid"\t:\n"a" }', '^/uuid$', ['a']),
        ('{"l": [1, {"uuid": "b"}, []], "e": {}, "uuid": "a"}', '^/uuid$', ['a']),
        ('{"public_keys": {"x/y": "k1\\n", "z": "k2"}}', '^/public_keys/[^/]*$', ['k1', '', 'k2']),
        ('{"p": "q\\"\\\\", "admin_pass": "\\u00e9\\ud83d\\ude00\\/"}', '^/admin_pass$', ['é😀/']),
        ('{"admin_pass": null}', '^/admin_pass$', []),
        ('{"admin_pass": "null"}', '^/admin_pass$', ['null']),
        ('{"n": -2.5e3, "t": true}', '^/[nt]$', ['-2.5e3', 'true']),
    ],
)
def test_json_reader(text: str, want: str, found: list[str]) -> None:
    read = run('busybox', 'awk', '-v', f'want={want}', '-f', str(JSON_AWK), stdin=text)
    assert read.returncode == 0
    assert read.stdout.splitlines() == found


def test_json_reader_refuses_broken_documents() -> None:
    if not shutil.which('busybox'):
        pytest.skip('needs busybox, the awk of the guest')
    for text in ('', '{"a": ', '{"a" "b"}', '{"a": "b', '[1, }'):
        assert run('busybox', 'awk', '-f', str(JSON_AWK), stdin=text).returncode == 1
