"""The guide of doc/systemd.rst, run as it stands on a machine with nothing installed: one node, every daemon a unit."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator

import pytest

from tests.endurance.conftest import Figures
from tests.endurance.fresh_machine import CODE, FreshMachine, missing
from tests.real.guest_file import guest_file
from tests.unit.doc.systemd_guide import commands

UNITS = [f'compute-{name}' for name in ('api', 'scheduler', 'conductor', 'worker', 'metadata', 'identity', 'image',
                                        'network', 'network-agent')]
pytestmark = [pytest.mark.skipif(bool(missing()), reason=f'needs {missing()}'), pytest.mark.timeout(3600)]


@pytest.fixture(params=['bookworm', 'trixie'])
def machine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreshMachine]:
    machine = FreshMachine(tmp_path_factory.mktemp('fresh') / 'machine', request.param)
    try:
        machine.make()
        machine.start()
        guest = guest_file(tmp_path_factory.mktemp('guest'))
        (machine.root / 'srv/guest.qcow2').write_bytes(guest.read_bytes())
        yield machine
    finally:
        machine.remove()


def test_the_commands_make_a_node_that_boots_a_server_and_comes_back(machine: FreshMachine, figures: Figures) -> None:
    (machine.root / 'srv/guide').write_text(f'set -euxo pipefail\ncd {CODE}\n{commands()}')
    told = machine.run('bash', '/srv/guide', seconds=1800,
                       environment={**machine.ENVIRONMENT, 'GUEST_IMAGE': '/srv/guest.qcow2'})
    assert 'ACTIVE' in told, told[-4000:]
    assert machine.run('systemctl', 'is-active', *UNITS).split() == ['active'] * len(UNITS)
    for name in ('worker', 'network-agent'):
        assert 'mysql' not in machine.run('cat', f'/etc/compute/compute-{name}.conf')
    # A guest that still boots would not obey libvirt-guests at the shutdown, which would wait minutes for it.
    group = client(machine, 'security', 'group', 'list', '--project', 'admin', '-f', 'value', '-c', 'ID').strip()
    client(machine, 'security', 'group', 'rule', 'create', '--protocol', 'tcp', '--dst-port', '22', group)
    (address,), = json.loads(client(machine, 'server', 'show', 'first', '-f', 'json'))['addresses'].values()
    machine.until('the server does not answer', lambda: machine.inside(answers, address), 300)
    machine.power_off()
    began = time.monotonic()
    machine.start()
    machine.until('not all units are back', lambda: machine.run(
        'systemctl', 'is-active', *UNITS, check=False).split() == ['active'] * len(UNITS), 300)
    figures.note(f'{machine.release}: {len(UNITS)} units are back after', f'{time.monotonic() - began:.0f} s')
    machine.until('the server does not answer after the reboot', lambda: machine.inside(answers, address), 300)
    figures.note(f'{machine.release}: the server answers after', f'{time.monotonic() - began:.0f} s')
    assert json.loads(client(machine, 'server', 'show', 'first', '-f', 'json'))['status'] == 'ACTIVE'


def client(machine: FreshMachine, *words: str) -> str:
    return machine.run('/opt/compute/bin/openstack', '--os-cloud', 'admin', *words, seconds=300)


def answers(address: str) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((address, 22), 2):
        return True
    return False
