"""tools/stack.sh before it changes anything: a stranger's folder, taken ports, room on disk, its user; and Ctrl-C."""

from __future__ import annotations

import grp
import os
import pathlib
import pty
import re
import shlex
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.real.kvm_device import Access, open_kvm_device, restore_at_the_end
from tests.waiting import LONG, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[3]
STACK = ROOT / 'tools' / 'stack.sh'
PARTS = ROOT / 'tools' / 'stack'
NAMES = ('identity', 'image', 'network', 'compute', 'metadata')
root_only = pytest.mark.skipif(os.geteuid() != 0, reason='needs root')


def stack(folder: pathlib.Path, *words: str, **environment: str) -> tuple[int, str]:
    """Run stack.sh; return its status and all that it printed."""
    done = subprocess.run([str(STACK), *words], capture_output=True, text=True, timeout=60, check=False,
                          stdin=subprocess.DEVNULL, cwd='/',
                          env={**os.environ, 'STACK_DIR': str(folder), 'STACK_VENV': sys.prefix, **environment})
    return done.returncode, done.stdout + done.stderr


def shell(folder: pathlib.Path, script: str, mode: str = 'standalone', driver: str = 'fake') -> str:
    """Run a piece of shell with the parts of stack.sh; return what it printed."""
    head = (f'set -euo pipefail; ROOT={shlex.quote(str(ROOT))}; PARTS=$ROOT/tools/stack; COMMAND=stack.sh; '
            f'STACK_DIR={shlex.quote(str(folder))}; STACK_VENV={shlex.quote(sys.prefix)}; '
            'for part in steps settings checks packages services units cloud down; do . "$PARTS/$part.sh"; done; '
            f'MODE={mode} DRIVER={driver}; ')
    return subprocess.run(['bash', '-c', head + script], capture_output=True, text=True, timeout=60, check=True).stdout


def obey_interrupts() -> None:
    """Undo what a shell does to its background programs: bash cannot trap a signal that it was started to ignore."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Something else that listens."""
    with socket.create_server(('127.0.0.1', 0)) as taken:
        yield taken


def test_a_taken_port_is_named_with_its_owner_before_anything_starts(tmp_path: pathlib.Path,
                                                                     listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    status, text = stack(tmp_path / 'stack', '--fake', '--port-base', str(port - 2))
    assert status == 1
    assert f'Port {port} (network) is taken by ' in text and f'(process {os.getpid()} of ' in text
    assert '--port-base N' in text and 'Traceback' not in text
    assert not (tmp_path / 'stack' / 'etc').exists()


def test_a_port_on_an_address_that_the_stack_does_not_use_is_free(tmp_path: pathlib.Path) -> None:
    with socket.create_server(('127.0.0.2', 0)) as other:
        assert shell(tmp_path, f'LISTEN=127.0.0.1 listening_inode {other.getsockname()[1]}') == ''
    with socket.create_server(('127.0.0.1', 0)) as same:
        assert shell(tmp_path, f'LISTEN=127.0.0.1 listening_inode {same.getsockname()[1]}').strip().isdigit()


@pytest.mark.parametrize(('mode', 'more'), [('standalone', 1), ('cluster', 8)])
def test_the_ports_that_are_looked_at_are_those_of_the_configuration(tmp_path: pathlib.Path, mode: str,
                                                                     more: int) -> None:
    lines = dict(line.split() for line in shell(tmp_path, 'PORT_BASE=21000; wanted_ports', mode=mode).splitlines())
    subprocess.run([sys.executable, str(PARTS / 'configuration.py'), str(tmp_path / 'made'), '--mode', mode, '--driver',
                    'fake', '--port-base', '21000', '--programs', '/bin'], check=True, capture_output=True)
    settings = dict(line.split(' = ') for line in (tmp_path / 'made/etc/settings').read_text().splitlines())
    assert len(lines) == len(NAMES) + more and set(NAMES) <= set(lines)
    assert lines == {name: settings[f'{name}_port'] for name in lines}
    kept = shell(tmp_path / 'made', 'PORT_BASE=0; wanted_ports', mode=mode)
    assert dict(line.split() for line in kept.splitlines()) == lines


def test_a_strangers_folder_is_neither_filled_nor_removed(tmp_path: pathlib.Path) -> None:
    (tmp_path / 'photo').write_text('mine')
    for words in (['--fake'], ['down'], ['down', '--keep-downloads']):
        status, text = stack(tmp_path, *words)
        assert status == 2
        assert 'files that do not belong to a stack (photo)' in text and 'set STACK_DIR' in text
    assert [path.name for path in tmp_path.iterdir()] == ['photo']


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / 'file').touch()
    status, text = stack(tmp_path / 'file', '--fake')
    assert (status, 'is not a folder; set STACK_DIR' in text) == (2, True)


def test_a_folder_with_what_a_stack_downloads_is_a_stacks(tmp_path: pathlib.Path) -> None:
    for name in ('venv', 'cache', 'images'):
        (tmp_path / name).mkdir()
    status, text = stack(tmp_path, 'down')
    assert (status, tmp_path.exists()) == (0, False), text


@root_only
def test_too_little_room_is_said_at_once_with_what_it_is_for(tmp_path: pathlib.Path) -> None:
    subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=20m', 'test', str(tmp_path)], check=True)
    try:
        status, text = stack(tmp_path / 'stack', '--fake', '--port-base', '31')
    finally:
        subprocess.run(['umount', str(tmp_path)], check=True)
    assert status == 1
    needed = r'has \d+ MB free and needs 200 MB \(databases, logs and guests 200\)'
    assert re.search(f'{re.escape(str(tmp_path))} {needed}', text)
    assert 'pip' not in text


@root_only
def test_who_is_not_root_learns_what_needs_root(tmp_path: pathlib.Path) -> None:
    tmp_path.chmod(0o777)
    text = shell(tmp_path, 'id() { [ "$1" = -u ] && echo 1000 || echo somebody; }; missing_packages() { echo lz4; }; '
                 'check_user; DRIVER=libvirt; check_user')
    assert 'Only root can install the packages that are missing: lz4.' in text
    assert 'Only root can wire real guests' in text and '--fake' in text


def test_options_that_came_with_the_environment_are_remembered(tmp_path: pathlib.Path) -> None:
    said = shell(tmp_path, 'STACK_VENV="/a b"; STACK_IMAGE=/i.qcow2; save_options; STACK_VENV= STACK_IMAGE=; '
                 'load_settings; echo "$(venv)" "$(guest_image)"; STACK_VENV=/other; load_settings; venv')
    assert said.splitlines() == ['/a b /i.qcow2', '/other']
    said = shell(tmp_path, 'STACK_UNITS=no; save_options; STACK_UNITS=; load_settings; echo "$STACK_UNITS"')
    assert said.strip() == 'no'


@pytest.mark.parametrize(('log', 'remedy'), [
    ('OSError: [Errno 28] No space left on device', 'free some room: '),
    ('epmd: port 5000 is taken by another program', 'stop the program that has the port'),
    ("error: command '/usr/bin/gcc' failed with exit code 1", 'could not be compiled'),
    ('ERROR: No matching distribution found', 'the usual one')])
def test_a_remedy_fits_the_fault(tmp_path: pathlib.Path, log: str, remedy: str) -> None:
    (tmp_path / 'log').write_text(log + '\n')
    assert remedy in shell(tmp_path, 'fitting_remedy "$STACK_DIR/log" "the usual one"')


def test_ctrl_c_is_no_failure_and_says_that_it_continues(tmp_path: pathlib.Path) -> None:
    script = ('mkdir -p "$STACK_DIR/run"; slow() { echo begun >"$STACK_DIR/begun"; sleep 100; }; begin_run; '
              'step slow slow "no remedy"; echo not here')
    head = (f'set -euo pipefail; ROOT={shlex.quote(str(ROOT))}; PARTS=$ROOT/tools/stack; STACK_DIR={tmp_path}; '
            'for part in steps settings checks packages services; do . "$PARTS/$part.sh"; done; ')
    ours, theirs = pty.openpty()
    process = subprocess.Popen(['bash', '-c', head + script], stdin=theirs, stdout=subprocess.PIPE, stderr=theirs,
                               start_new_session=True, text=True, preexec_fn=obey_interrupts)
    os.close(theirs)
    wait_until((tmp_path / 'begun').exists, 'the step')
    os.killpg(process.pid, signal.SIGINT)
    text, _ = process.communicate(timeout=LONG)
    os.close(ours)
    assert process.returncode == 130
    assert 'interrupted after' in text and 'Run the same command again; it continues.' in text
    assert 'FAILED' not in text and 'not here' not in text


@root_only
def test_the_kvm_device_gets_what_udev_gives_it_and_gets_back_what_it_had(tmp_path: pathlib.Path) -> None:
    device = tmp_path / 'kvm'
    os.mknod(device, 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    (tmp_path / 'run').mkdir()
    said = shell(tmp_path, 'getent() { echo kvm:x:4242:; }; chown() { echo "chown $*"; }; KVM=$STACK_DIR/kvm; '
                 'open_kvm_device; stat -c %a "$KVM"; open_kvm_device; close_kvm_device; '
                 'stat -c %a "$KVM"').splitlines()
    assert [line for line in said if line.startswith('chown')][:1] == [f'chown root:kvm {device}']
    assert [line for line in said if line.isdigit()] == ['660', '600']
    assert said[-2] == f'chown root:root {device}'


@pytest.fixture
def device(tmp_path: pathlib.Path) -> pathlib.Path:
    """A file in place of /dev/kvm, as a machine without udev has it."""
    made = tmp_path / 'kvm'
    made.touch()
    os.chown(made, 1234, 4321)
    made.chmod(0o600)
    return made


@root_only
def test_fixtures_open_the_kvm_device_in_the_same_way(device: pathlib.Path) -> None:
    group, had = grp.getgrgid(0).gr_name, Access(1234, 4321, 0o600)
    assert open_kvm_device(str(device), group) == had
    assert Access.of(str(device)) == Access(0, 0, 0o660)
    assert open_kvm_device(str(device), group) is None
    device.chmod(0o666)
    assert open_kvm_device(str(device), group) is None
    assert open_kvm_device(f'{device}-none', group) is None
    assert open_kvm_device(str(device), 'no-such-group') is None


@root_only
@pytest.mark.parametrize('changed', [False, True])
def test_the_kvm_device_of_fixtures_gets_back_what_it_had(device: pathlib.Path, changed: bool) -> None:
    had = open_kvm_device(str(device), grp.getgrgid(0).gr_name)
    assert had is not None
    keeper = restore_at_the_end(str(device), had)
    if changed:
        device.chmod(0o666)
    assert keeper.poll() is None
    keeper.communicate(timeout=LONG)
    assert Access.of(str(device)) == (Access(0, 0, 0o666) if changed else had)


@root_only
@pytest.mark.parametrize('end', ['pass', 'raise SystemExit(1)', 'os._exit(1)', 'os.kill(os.getpid(), 9)'])
def test_it_gets_it_back_however_the_tests_end(device: pathlib.Path, end: str) -> None:
    code = (f'import os; from tests.real.kvm_device import *; open_for_the_tests({str(device)!r}, '
            f'{grp.getgrgid(0).gr_name!r}); print(Access.of({str(device)!r}).mode, flush=True); {end}')
    done = subprocess.run([sys.executable, '-c', code], cwd=ROOT, stdout=subprocess.PIPE, check=False)
    assert int(done.stdout) == 0o660
    wait_until(lambda: Access.of(str(device)) == Access(1234, 4321, 0o600), 'what the device had')


@root_only
@pytest.mark.parametrize(('apt', 'words', 'kept'), [
    ('return 100', 'FAILED after', True), ('echo "Purg lz4 [1]"; echo "Purg gimp [2]"', 'these need them: gimp', True),
    ('echo "Purg lz4 [1]"', '1 removed', False)])
def test_packages_go_only_if_that_works_and_nobody_else_needs_them(tmp_path: pathlib.Path, apt: str, words: str,
                                                                   kept: bool) -> None:
    made = tmp_path / 'made' / 'packages'
    made.parent.mkdir()
    made.write_text('lz4\n')
    said = shell(tmp_path, f'MADE_PACKAGES={made}; apt-get() {{ {apt}; }}; installed_packages() {{ echo lz4; }}; '
                 'down_step packages remove_packages')
    assert words in said and made.exists() is kept
