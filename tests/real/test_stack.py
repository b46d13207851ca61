"""tools/stack.sh end to end, as somebody uses it for the first time: standalone and as a cluster, with real guests.

``down`` must leave nothing, a second run must change nothing, and the daemons of a cluster must be processes of their
own, of which those on hosts know no database.
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
from collections.abc import Iterator

import pytest

from tests.real.libvirtd import Daemons, libvirtd
from tests.real.stack import ROOT, Machine, Stack, output, processes
from tests.waiting import LONG

__all__ = ['libvirtd']
DAEMONS = ('api', 'scheduler', 'conductor', 'worker', 'metadata', 'identity', 'image', 'network', 'network-agent')
PORTS = int(os.environ.get('TEST_PORT_BASE', '23000'))

pytestmark = pytest.mark.timeout(2700)


@pytest.fixture
def folder() -> Iterator[pathlib.Path]:
    """Give a folder that QEMU's user can pass through."""
    path = pathlib.Path(f'/var/tmp/compute-test-stack-{os.getpid()}')
    path.mkdir(mode=0o755)
    yield path / 'stack'
    shutil.rmtree(path)


@pytest.fixture
def real(libvirtd: Daemons) -> None:
    """Need what real guests need."""
    if shutil.which('nft', path='/usr/sbin:/sbin:/usr/bin') is None:
        pytest.skip('needs nftables')


def brought_down(stack: Stack, before: dict[str, list[str]]) -> None:
    """Take a stack down and see that nothing is left of it."""
    stack.down()
    assert stack.traces() == {'processes': [], 'mounts': [], 'files': [], 'domains': []}
    assert Machine.state() == before


def everyday(stack: Stack) -> None:
    """Do with the client what one does every day."""
    server = stack.openstack('server show first')
    assert server['status'] == 'ACTIVE'
    address = server['addresses']['private'][0]
    assert stack.ssh(address, 'hostname').strip() == 'first'
    assert 'guest: boot done' in stack.openstack('console log show first')
    assert [row['Name'] for row in stack.openstack('image list')] == ['debian-tiny']
    assert [row['Name'] for row in stack.openstack('network list')] == ['private']
    assert stack.openstack('token issue')['expires']
    stack.openstack('server stop first')
    stack.becomes('first', 'SHUTOFF')
    stack.openstack('server start first')
    stack.becomes('first', 'ACTIVE')
    booted = stack.ssh(address, 'cat /proc/sys/kernel/random/boot_id')
    stack.openstack('server reboot --wait first')
    stack.becomes('first', 'ACTIVE')
    assert stack.ssh(address, 'cat /proc/sys/kernel/random/boot_id') != booted


def files_of(folder: pathlib.Path) -> dict[str, tuple[int, str]]:
    """Return mode and content of what a stack configured."""
    paths = [*folder.glob('etc/*'), *(folder / name for name in ('clouds.yaml', 'openrc', 'admin-openrc', 'demo_key'))]
    return {path.name: (path.stat().st_mode & 0o777, path.read_text()) for path in paths}


def test_a_first_server_boots_standalone_and_everything_goes_again(real: None, folder: pathlib.Path) -> None:
    before = Machine.state()
    stack = Stack(folder, PORTS + 100, own_environment=True)
    try:
        told = stack.up()
        assert 'first is ACTIVE' in told and 'Linux' in told
        assert re.search(r'\(fetch .* s, convert .* s, define .* s, start .* s\)', told), told
        assert f'STACK_DIR={folder} ' in told
        files, rows, running = files_of(folder), stack.rows(), processes(f'{folder}/')
        assert {mode for mode, _ in files.values()} == {0o600}
        again = stack.again()
        steps = [line for line in again.splitlines() if line.startswith('  ') and ' s  ' in line]
        assert [line for line in steps if 'already' not in line and not line.startswith(('  checks', '  login'))] == []
        assert (files_of(folder), stack.rows(), sorted(processes(f'{folder}/'))) == (files, rows, sorted(running))
        assert 'compute-standalone' in stack.status()
        assert 'stage' in stack.manage('operations')
        everyday(stack)
        stack.openstack('server delete first')
        stack.vanishes('first')
    finally:
        brought_down(stack, before)


def test_a_cluster_runs_each_daemon_by_itself_and_hosts_know_no_database(real: None, folder: pathlib.Path) -> None:
    before = Machine.state()
    stack = Stack(folder, PORTS + 120)
    try:
        stack.up('--cluster')
        lines = processes(f'{folder}/etc/')
        for name in DAEMONS:
            assert sum(f'/compute-{name} ' in line for line in lines) == 1, name
        for name in ('worker', 'network-agent'):
            text = (folder / 'etc' / f'{name}.conf').read_text()
            assert 'transport_url = rabbit://' in text
            assert 'mysql' not in text and 'sqlite' not in text and '[database]' not in text
        everyday(stack)
    finally:
        brought_down(stack, before)


def test_fake_hosts_share_one_process_and_need_no_hypervisor(folder: pathlib.Path) -> None:
    stack = Stack(folder, PORTS + 140)
    try:
        stack.up('--fake', '--hosts', '3')
        hosts = stack.openstack('hypervisor list', 'admin')
        assert sorted(row['Hypervisor Hostname'] for row in hosts) == ['host-0001', 'host-0002', 'host-0003']
        assert stack.openstack('server show first')['status'] == 'ACTIVE'
    finally:
        stack.down()
    assert not any(stack.traces().values())


def test_a_failure_names_the_step_its_log_and_a_remedy(folder: pathlib.Path) -> None:
    stack = Stack(folder, PORTS + 160)
    stack.environment['STACK_VENV'] = '/nonexistent'
    try:
        with pytest.raises(AssertionError) as failure:
            stack.up('--fake')
        text = str(failure.value)
        assert "The step 'environment' failed" in text
        assert f'{folder}/logs/stack-environment.log' in text
        assert 'Remedy: ' in text
    finally:
        stack.down()


@pytest.mark.parametrize('words', [['--hosts', '3'], ['--hosts', 'many', '--fake'], ['--fake', '--hosts'],
                                   ['--nonsense'], ['nonsense'], ['--port-base', 'x']])
def test_a_wrong_command_line_is_refused(words: list[str], folder: pathlib.Path) -> None:
    stack = Stack(folder, 0)
    with pytest.raises(AssertionError):
        stack._run(*words, seconds=LONG)
    assert not folder.exists()


def test_help_names_every_option() -> None:
    text = output(str(ROOT / 'tools' / 'stack.sh'), '--help')
    for word in ('--cluster', '--fake', '--hosts', 'status', 'logs', 'manage', 'down', '--packages', 'STACK_DIR'):
        assert word in text
