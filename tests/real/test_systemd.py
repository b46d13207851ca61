"""The daemons as units of a machine that systemd runs: ready, watched, apart from one another, back after its reboot.

tools/stack.sh brings the cluster up as an operator would, with the fake driver: what a unit promises does not depend on
the hypervisor. One machine serves all tests; the last one turns it off and on.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.functional.standalone import Client
from tests.real.booted import PROGRAMS, SOURCE, Booted, missing

DAEMONS = ('api', 'scheduler', 'conductor', 'worker', 'metadata', 'identity', 'image', 'network', 'network-agent')
UNITS = [f'compute-{name}' for name in DAEMONS]
LIMIT = 4.0
STACK = '/srv/stack'
SHUTDOWN, RUNNING = 4, 1

pytestmark = [pytest.mark.timeout(1800), pytest.mark.skipif(bool(missing()), reason=f'needs {missing()}')]


class Cloud:
    """The cluster on the machine."""

    def __init__(self, machine: Booted) -> None:
        self.machine = machine
        self.environment = {'STACK_DIR': STACK, 'STACK_VENV': PROGRAMS, 'PYTHONPATH': SOURCE}
        self.settings: dict[str, str] = {}

    def up(self) -> str:
        """Bring it up and remember its ports and passwords."""
        told = self.machine.run(f'{SOURCE}/tools/stack.sh', '--cluster', '--fake', '--port-base', '21000', seconds=1200,
                                environment=self.environment)
        text = (self.machine.root / STACK[1:] / 'etc/settings').read_text()
        self.settings = dict(line.split(' = ', 1) for line in text.splitlines())
        return told

    def url(self, service: str) -> str:
        """Return the address of an API."""
        path = {'identity': '/v3', 'compute': '/v2.1'}.get(service, '')
        return f'http://127.0.0.1:{self.settings[f"{service}_port"]}{path}'

    def client(self) -> Client:
        """Return a client of the demo user; use it ``inside`` the machine."""
        return Client(self, 'demo', self.settings['demo_password'], 'demo')  # type: ignore[arg-type]

    def show(self, unit: str) -> dict[str, str]:
        """Return what systemd knows of a unit."""
        lines = self.machine.run('systemctl', 'show', unit).splitlines()
        return dict(line.split('=', 1) for line in lines if '=' in line)

    def guests(self) -> dict[str, int]:
        """Return the power state of each fake guest."""
        found = {}
        for path in (self.machine.root / 'var/lib/compute/worker/fake').glob('*/*.json'):
            guest = json.loads(path.read_text())
            found[guest['uuid']] = guest['power_state']
        return found


@pytest.fixture(scope='module')
def cloud(tmp_path_factory: Any) -> Iterator[Cloud]:
    """A cluster of units on a machine of its own."""
    machine = Booted(tmp_path_factory.mktemp('booted') / 'machine')
    try:
        machine.make()
        machine.start()
        cloud = Cloud(machine)
        told = cloud.up()
        assert 'first is ACTIVE' in told, told
        yield cloud
    finally:
        machine.remove()


def test_every_unit_is_ready_watched_and_without_privileges(cloud: Cloud) -> None:
    users = set()
    for unit in UNITS:
        shown = cloud.show(unit)
        assert (shown['ActiveState'], shown['SubState'], shown['Type']) == ('active', 'running', 'notify'), unit
        assert shown['WatchdogUSec'] == '30s' and shown['StatusText'], unit
        users.add(shown['User'])
        status = cloud.machine.run('cat', f'/proc/{shown["MainPID"]}/status')
        assert re.search(r'^CapEff:\s+0+$', status, re.MULTILINE), f'{unit} has capabilities'
        assert re.search(r'^NoNewPrivs:\s+1$', status, re.MULTILINE), unit
        assert not re.search(r'^Uid:\s+0\b', status, re.MULTILINE), f'{unit} is root'
    assert users == set(UNITS)
    agent = cloud.show('compute-network-agent')['MainPID']
    # Namespaces that it mounts would be gone with a mount namespace of its own.
    assert cloud.machine.run('readlink', f'/proc/{agent}/ns/mnt') == cloud.machine.run('readlink', '/proc/1/ns/mnt')


def test_exposure_is_low(cloud: Cloud) -> None:
    table = cloud.machine.run('systemd-analyze', 'security', '--no-pager')
    found = {unit: float(exposure) for unit, exposure in re.findall(r'^(compute-[a-z-]+)\.service +([0-9.]+)', table,
                                                                   re.MULTILINE)}
    assert set(found) == set(UNITS)
    assert {unit: exposure for unit, exposure in found.items() if exposure > LIMIT} == {}


def test_a_daemon_reads_its_own_secrets_only(cloud: Cloud) -> None:
    for name in ('worker', 'network-agent'):
        assert 'database' not in cloud.machine.run('cat', f'/etc/compute/compute-{name}.conf')
    read = 'for f in /etc/compute/compute*.conf /etc/compute/*/*; do [ ! -r "$f" ] || basename "$f"; done'
    for name in DAEMONS:
        seen = cloud.machine.run('setpriv', f'--reuid=compute-{name}', f'--regid=compute-{name}', '--init-groups',
                                 'sh', '-c', read).split()
        assert set(seen) == {'compute.conf', f'compute-{name}.conf'}, name
    tried = cloud.machine.run('setpriv', '--reuid=compute-worker', '--regid=compute-worker', '--init-groups', 'ls',
                              '/var/lib/compute/identity-keys', check=False)
    assert tried == ''


def test_a_request_is_found_in_the_journals_of_all_daemons_by_its_id(cloud: Cloud) -> None:
    pytest.importorskip('systemd.journal', reason='systemd-python is not installed')

    def create() -> str:
        client = cloud.client()
        image, = client.ok('GET', 'image', '/v2/images')['images']
        network, = client.ok('GET', 'network', '/v2.0/networks')['networks']
        answer = client.call('POST', 'compute', '/servers', {'server': {
            'name': 'traced', 'imageRef': image['id'], 'flavorRef': '42', 'networks': [{'uuid': network['id']}]}})
        assert answer.status_code == 202, answer.text
        client.wait(answer.json()['server']['id'], 'ACTIVE', 60)
        return answer.headers['X-OpenStack-Request-ID']
    request_id = cloud.machine.inside(create)

    def units() -> set[str]:
        lines = cloud.machine.run('journalctl', '-o', 'json', f'REQUEST_ID={request_id}').splitlines()
        return {json.loads(line)['_SYSTEMD_UNIT'] for line in lines}
    wanted = {'compute-api.service', 'compute-worker.service'}
    cloud.machine.until(f'the journal knows {request_id} from too few daemons', lambda: wanted <= units(), 10)


def test_who_is_killed_or_hangs_is_started_again_and_a_stop_is_in_order(cloud: Cloud) -> None:
    machine = cloud.machine
    machine.run('sh', '-c', 'd=/run/systemd/system/compute-scheduler.service.d; mkdir -p $d; '
                'printf "[Service]\\nWatchdogSec=4\\n" >$d/90-test.conf; systemctl daemon-reload; '
                'systemctl restart compute-scheduler compute-worker')
    victims = ('compute-scheduler', 'compute-conductor', 'compute-worker')
    before = {unit: cloud.show(unit)['MainPID'] for unit in victims}
    machine.run('kill', '-STOP', before['compute-scheduler'])
    machine.run('kill', '-KILL', before['compute-conductor'], before['compute-worker'])

    def again(unit: str) -> bool:
        shown = cloud.show(unit)
        return shown['ActiveState'] == 'active' and shown['MainPID'] != before[unit] and (
            int(shown['NRestarts']) >= 1)
    machine.run('systemctl', 'stop', 'compute-metadata')
    stopped = cloud.show('compute-metadata')
    assert (stopped['Result'], stopped['ExecMainCode'], stopped['ExecMainStatus']) == ('success', '1', '0')
    machine.until('the journal does not tell of the stop', lambda: 'compute-metadata stops' in machine.run(
        'journalctl', '-u', 'compute-metadata', '-o', 'cat'), 10)
    machine.run('systemctl', 'start', 'compute-metadata')
    for unit in before:
        machine.until(f'{unit} is not back', lambda unit=unit: again(unit), 60)  # type: ignore[misc]
    said = machine.run('journalctl', '-u', 'compute-scheduler', '-o', 'cat')
    assert 'Watchdog timeout' in said
    assert 'most recent call first' in said, 'a daemon that hung does not tell where'


def test_the_network_agent_makes_real_networks_and_is_not_root(cloud: Cloud) -> None:
    machine, unit = cloud.machine, 'compute-network-agent'
    told = cloud.up()  # it runs systemd-tmpfiles for the second time: the agent must still be able to make networks
    assert 'already: first is ACTIVE' in told, told
    machine.run('sh', '-c', f'd=/etc/compute/{unit}.conf.d; mkdir -p $d; '
                'printf "[network_agent]\\ndriver = linux\\n" >$d/linux.conf; systemctl restart ' + unit)
    helper = ('pgrep', '-u', unit, '-f', 'network_agent_privileged')

    def wired() -> bool:
        return bool(machine.run('ip', 'netns', 'list').strip()) and bool(machine.run(
            'pgrep', '-u', unit, 'dnsmasq', check=False).strip())
    machine.until('the network of the first server is not made', wired, 60)
    taps = machine.run('ip', '-o', 'link')
    assert re.search(r'\btap[0-9a-f]{8}', taps), taps
    process = machine.run(*helper).split()[0]
    status = machine.run('cat', f'/proc/{process}/status')
    assert re.search(rf'^CapEff:\s+0*{1 << 10 | 1 << 12 | 1 << 13 | 1 << 21:x}$', status, re.MULTILINE), status
    before = (cloud.show(unit)['MainPID'], machine.run('pgrep', '-u', unit, 'dnsmasq'),
              machine.run('ip', 'netns', 'list'))
    assert re.search(r'^CapEff:\s+0+$', machine.run('cat', f'/proc/{before[0]}/status'), re.MULTILINE)
    machine.run('kill', '-KILL', process)
    machine.until('the agent does not begin anew', lambda: cloud.show(unit)['MainPID'] not in ('0', before[0]), 90)
    machine.until('nothing makes networks', lambda: machine.run(*helper, check=False).split(), 60)
    assert (machine.run('pgrep', '-u', unit, 'dnsmasq'), machine.run('ip', 'netns', 'list')) == before[1:]


def test_what_the_agent_cannot_do_is_in_the_fault_of_the_server(cloud: Cloud) -> None:
    machine = cloud.machine

    def build() -> dict[str, Any]:
        client = cloud.client()
        network = client.ok('POST', 'network', '/v2.0/networks', {'network': {'name': 'closed'}})['network']['id']
        client.ok('POST', 'network', '/v2.0/subnets', {'subnet': {
            'network_id': network, 'ip_version': 4, 'cidr': '10.77.0.0/24'}})
        server = client.ok('POST', 'compute', '/servers', {'server': {
            'name': 'unwired', 'flavorRef': '42', 'networks': [{'uuid': network}],
            'imageRef': client.ok('GET', 'image', '/v2/images')['images'][0]['id']}})['server']['id']
        client.wait(server, 'ERROR', 60)
        admin = Client(cloud, 'admin', cloud.settings['admin_password'], 'admin')  # type: ignore[arg-type]
        fault: dict[str, Any] = admin.server(server)['fault']
        return fault
    machine.run('chmod', '0755', '/run/netns')  # what a second systemd-tmpfiles did when that was the mode
    try:
        fault = machine.inside(build)
    finally:
        machine.run('chmod', '0775', '/run/netns')
    assert 'Permission denied' in str(fault), fault


def test_a_power_cycle_brings_all_back_and_each_guest_to_the_state_that_was_asked_for(cloud: Cloud) -> None:
    machine = cloud.machine

    def prepare() -> tuple[str, str]:
        client = cloud.client()
        servers = {server['name']: server['id'] for server in client.ok('GET', 'compute', '/servers')['servers']}
        off = client.ok('POST', 'compute', '/servers', {'server': {
            'name': f'off-{uuid.uuid4().hex[:4]}', 'flavorRef': '42', 'networks': 'none',
            'imageRef': client.ok('GET', 'image', '/v2/images')['images'][0]['id']}})['server']['id']
        client.wait(off, 'ACTIVE', 60)
        assert client.act(off, 'os-stop').status_code == 202
        client.wait(off, 'SHUTOFF', 60)
        return servers['first'], off
    first, off = machine.inside(prepare)
    assert (cloud.guests()[first], cloud.guests()[off]) == (RUNNING, SHUTDOWN)
    machine.power_off()
    for path in (machine.root / 'var/lib/compute/worker/fake').glob('*/*.json'):
        # A real guest ends with its machine; a fake one has to be told.
        path.write_text(re.sub(r'"power_state": \d+', f'"power_state": {SHUTDOWN}', path.read_text()))
    machine.start()
    machine.until('not all units are back', lambda: machine.run(
        'systemctl', 'is-active', *UNITS, check=False).split() == ['active'] * len(UNITS), 90)
    machine.until('the guest is not back', lambda: cloud.guests()[first] == RUNNING, 60)
    machine.until('its network is not back', lambda: machine.run('pgrep', 'dnsmasq', check=False).strip(), 60)

    def serves() -> bool:
        with contextlib.suppress(requests.RequestException):
            return bool(cloud.client())
        return False
    machine.until('nobody can log in', lambda: machine.inside(serves), 90)

    def look() -> tuple[str, str]:
        client = cloud.client()
        client.wait(first, 'ACTIVE', 60)
        return client.server(first)['status'], client.server(off)['status']
    assert machine.inside(look) == ('ACTIVE', 'SHUTOFF')
    assert cloud.guests()[off] == SHUTDOWN


def test_installing_again_changes_nothing(cloud: Cloud, tmp_path: pathlib.Path) -> None:
    told = cloud.machine.run(f'{PROGRAMS}/bin/python', f'{SOURCE}/tools/install_units', 'all', '--programs',
                             f'{PROGRAMS}/bin', '--environment', f'PYTHONPATH={SOURCE}')
    assert told.strip() == 'nothing to change'
