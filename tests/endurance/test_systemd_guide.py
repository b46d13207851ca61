"""The guide of doc/systemd.rst, run as it stands on a machine with nothing installed: one node, every daemon a unit."""

from __future__ import annotations

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
    # Its guest may still be booting, and libvirt's shutdown of the machine would wait minutes for it.
    machine.run('/opt/compute/bin/openstack', '--os-cloud', 'admin', 'server', 'delete', '--wait', 'first', seconds=300)
    machine.power_off()
    machine.start()
    machine.until('not all units are back', lambda: machine.run(
        'systemctl', 'is-active', *UNITS, check=False).split() == ['active'] * len(UNITS), 300)
    figures.note(f'{machine.release}: units after the guide and a reboot', len(UNITS))
