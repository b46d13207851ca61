"""Real guests on two hosts, each with a libvirtd of its own: paused, saved, resized and moved; the whole product runs.

The guest tells on its console what it finds on its disk and how large that is, and then counts: who goes on from its
memory goes on counting, who starts anew begins at one with another id of its boot.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import threads
from tests.real.cluster import Client, Cloud, Cluster, wait_for
from tests.real.cluster_services import missing
from tests.real.faults import private_libvirtd
from tests.real.faults.private_libvirtd import PrivateLibvirtd
from tests.real.guest_file import guest_file
from tests.waiting import LONG

_LACKS = [*missing(), *filter(None, [private_libvirtd.missing()])]
pytestmark = [pytest.mark.skipif(bool(_LACKS), reason=f'not here: {", ".join(_LACKS)}'), pytest.mark.timeout(3000)]
SECTORS = 1024 ** 3 // 512
"""In a GiB."""

USER_DATA = """#!/bin/bash
echo "$(cat /proc/sys/kernel/random/uuid)" >/root/marker
cat >/etc/init.d/teller <<'END'
#!/bin/sh
mkdir /dev/teller || exit  # once at each boot
boot=$(cat /proc/sys/kernel/random/boot_id)
echo "teller: marker $(cat /root/marker) sectors $(cat /sys/block/vda/size) boot $boot" >/dev/console
number=0
while sleep 1; do
    number=$((number + 1))
    echo "teller: $number of boot $boot" >/dev/console
done
END
chmod +x /etc/init.d/teller
echo '/etc/init.d/teller </dev/null >/dev/null 2>&1 &' >>/etc/init.d/rcS
sync
/etc/init.d/teller </dev/null >/dev/null 2>&1 &
"""


class Hosts(Cluster):
    """The cluster, and a libvirtd for each of its two hosts."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, threads.GREEN)
        self.libvirtds = {host: PrivateLibvirtd() for host in ('node1', 'node2')}

    def add(self, name: str, host: str | None = None, **overrides: dict[str, Any]) -> Any:
        if name.startswith('worker'):
            libvirtd = self.libvirtds['node2' if name.endswith('2') else 'node1']
            overrides = {'virt': {'driver': 'libvirt'}, 'libvirt': {
                'connection_uri': libvirtd.uri, 'instances_path': libvirtd.instances, 'virt_type': 'qemu'},
                'worker': {'shutdown_timeout': 60, 'disk_allocation_ratio': 1000, 'cpu_allocation_ratio': 100,
                           'ram_allocation_ratio': 10, 'reserved_memory_mb': 0,
                           'console_log_bytes': 10 ** 7}}  # of all boots
        return super().add(name, host, **overrides)

    def begin_all(self) -> None:
        """Run everything."""
        for libvirtd in self.libvirtds.values():
            libvirtd.start()
        self.start(('identity', 'image', 'network', 'conductor', 'scheduler', 'api', 'worker', 'worker2'))

    def remove(self) -> None:
        try:
            super().remove()
        finally:
            for libvirtd in self.libvirtds.values():
                libvirtd.remove()


@pytest.fixture(scope='module')
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    hosts = Hosts(tmp_path_factory.mktemp('m'))
    try:
        hosts.begin_all()
        yield hosts
    finally:
        hosts.remove()


@pytest.fixture(scope='module')
def client(hosts: Hosts) -> Client:
    return Client(hosts)  # type: ignore[arg-type]


class Server:
    """A server whose guest tells what it is."""

    def __init__(self, hosts: Hosts, client: Client, image: str) -> None:
        self.hosts, self.client, self.image = hosts, client, image
        body = {'name': 'teller', 'imageRef': image, 'flavorRef': self.flavor(1), 'networks': 'none',
                'config_drive': True, 'user_data': base64.b64encode(USER_DATA.encode()).decode()}
        self.uuid = str(client.ok('POST', 'compute', '/servers', {'server': body})['server']['id'])
        self.wait('ACTIVE')

    def flavor(self, disk: int, ephemeral: int = 0, swap: int = 0) -> str:
        """Return a new flavor with so many GiB of disk and ephemeral disk, and MiB of swap."""
        name = f'f{len(self.client.ok("GET", "compute", "/flavors")["flavors"])}'
        return str(self.client.ok('POST', 'compute', '/flavors', {'flavor': {
            'name': name, 'ram': 192, 'vcpus': 1, 'disk': disk, 'OS-FLV-EXT-DATA:ephemeral': ephemeral,
            'swap': swap}})['flavor']['id'])

    def wait(self, status: str) -> dict[str, Any]:
        """Wait for a state."""
        return self.client.wait(self.uuid, status, LONG)

    def act(self, action: str, value: Any = None) -> None:
        """Ask for an action that must be accepted."""
        answer = self.client.act(self.uuid, action, value)
        assert answer.status_code in (202, 204), answer.text

    @property
    def host(self) -> str:
        """The host where it is."""
        return str(self.client.server(self.uuid)['OS-EXT-SRV-ATTR:host'])

    def folder(self, host: str, suffix: str = '') -> Path:
        """Return where its disks are, or would be."""
        return self.hosts.libvirtds[host].instances / f'{self.uuid}{suffix}'

    def console(self) -> str:
        """Return what its guest has written."""
        return str(self.client.ok('POST', 'compute', f'/servers/{self.uuid}/action',
                                  {'os-getConsoleOutput': {}})['output'])

    def boots(self) -> list[tuple[str, int, str]]:
        """Return marker, sectors of the disk and id of each boot."""
        return [(marker, int(sectors), boot) for marker, sectors, boot in re.findall(
            r'teller: marker (\S+) sectors (\d+) boot (\S+)', self.console())]

    def booted(self, before: int) -> tuple[str, int, str]:
        """Wait until it has told of one boot more than before, and return that."""
        def told() -> list[tuple[str, int, str]] | None:
            found = self.boots()
            return found if len(found) > before else None
        return wait_for(told, LONG, f'a boot of the guest after {before}')[-1]  # type: ignore[no-any-return]

    def count(self) -> tuple[int, str]:
        """Return the last number, and the id of its boot."""
        found = re.findall(r'teller: (\d+) of boot (\S+)', self.console())
        return (int(found[-1][0]), found[-1][1]) if found else (0, '')

    def goes_on(self) -> tuple[int, str]:
        """Wait until it has counted on, and return the number and the id of its boot."""
        before = self.count()
        wait_for(lambda: self.count() != before, LONG, 'the guest to count')
        return self.count()


@pytest.fixture(scope='module')
def server(hosts: Hosts, client: Client, tmp_path_factory: pytest.TempPathFactory) -> Server:
    data = guest_file(tmp_path_factory.mktemp('g')).read_bytes()
    only(client, 'node1')
    return Server(hosts, client, Cloud.image_of(client, 'system', data, 'qcow2'))


def only(client: Client, *names: str) -> None:
    """Let the scheduler choose these hosts and no other."""
    for service in client.ok('GET', 'compute', '/os-services?binary=nova-compute')['services']:
        status = 'enabled' if service['host'] in names else 'disabled'
        client.ok('PUT', 'compute', f'/os-services/{service["id"]}', {'status': status})


def size_of(disk: Path) -> tuple[int, str]:
    """Return size and base of a qcow2."""
    shown = json.loads(subprocess.run(['qemu-img', 'info', '-U', '--output=json', str(disk)], check=True,
                                      capture_output=True).stdout)
    return shown['virtual-size'], shown['backing-filename']


def test_a_paused_guest_goes_on_counting(server: Server) -> None:
    marker, sectors, boot = server.booted(0)
    assert marker and sectors == SECTORS
    server.goes_on()
    server.act('pause')
    server.wait('PAUSED')
    before = server.count()
    server.act('unpause')
    server.wait('ACTIVE')
    number, same = server.goes_on()
    assert same == before[1] == boot and number > before[0]
    assert len(server.boots()) == 1


def test_a_suspended_guest_goes_on_from_its_memory(server: Server) -> None:
    before = server.goes_on()
    libvirtd = server.hosts.libvirtds['node1']
    server.act('suspend')
    server.wait('SUSPENDED')
    assert server.uuid not in libvirtd.processes()
    assert server.client.act(server.uuid, 'migrate').status_code == 409
    server.act('resume')
    server.wait('ACTIVE')
    number, boot = server.goes_on()
    assert boot == before[1] and number > before[0] and len(server.boots()) == 1
    numbers = [int(each) for each in re.findall(r'teller: (\d+) of boot', server.console())]
    assert numbers == list(range(1, len(numbers) + 1)), 'not one is missing or twice'


def test_a_larger_disk_on_the_same_host_and_back(server: Server) -> None:
    before, here = server.boots(), server.host
    marker, _, boot = before[-1]
    server.act('resize', {'flavorRef': server.flavor(2)})
    server.wait('VERIFY_RESIZE')
    found, sectors, _ = server.booted(len(before))
    assert (server.host, found, sectors) == (here, marker, 2 * SECTORS)
    assert size_of(server.folder(here, '_resize') / 'disk')[0] == 1024 ** 3
    server.act('revertResize')
    server.wait('ACTIVE')
    server.goes_on()
    assert size_of(server.folder(here) / 'disk')[0] == 1024 ** 3 and not server.folder(here, '_resize').exists()
    found, sectors, again = server.booted(len(before))
    assert (found, sectors) == (marker, SECTORS) and again != boot


def test_a_larger_disk_that_is_confirmed(server: Server) -> None:
    before, here = server.boots(), server.host
    marker = before[0][0]
    server.act('resize', {'flavorRef': server.flavor(2, ephemeral=1, swap=16)})
    server.wait('VERIFY_RESIZE')
    found, sectors, _ = server.booted(len(before))
    server.act('confirmResize')
    server.wait('ACTIVE')
    assert (found, sectors) == (marker, 2 * SECTORS) and not server.folder(here, '_resize').exists()
    assert {'disk', 'disk.eph0', 'disk.swap', 'disk.config', 'console.log'} == {
        path.name for path in server.folder(here).iterdir()}


def test_a_guest_moves_to_another_host_with_its_disks(server: Server) -> None:
    before = server.boots()
    marker = before[0][0]
    only(server.client, 'node1', 'node2')
    server.act('migrate')
    server.wait('VERIFY_RESIZE')
    assert server.host == 'node2'
    found, sectors, _ = server.booted(len(before))
    assert (found, sectors) == (marker, 2 * SECTORS)
    size, base = size_of(server.folder('node2') / 'disk')
    assert size == 2 * 1024 ** 3 and base.startswith(str(server.hosts.libvirtds['node2'].instances / '_base'))
    assert server.folder('node1', '_resize').exists() and server.uuid not in server.hosts.libvirtds['node1'].powers()
    server.act('confirmResize')
    server.wait('ACTIVE')
    assert not list(server.hosts.libvirtds['node1'].instances.glob(f'{server.uuid}*'))


def test_it_moves_back_although_its_image_was_deleted(server: Server) -> None:
    before = server.boots()
    marker = before[0][0]
    server.client.call('DELETE', 'image', f'/v2/images/{server.image}')
    for path in (server.hosts.libvirtds['node1'].instances / '_base').iterdir():
        path.unlink()
    server.hosts['worker'].stop()
    server.hosts['worker'].start()
    server.act('migrate')
    server.wait('VERIFY_RESIZE')
    assert server.host == 'node1' and server.booted(len(before))[0] == marker
    server.act('revertResize')
    server.wait('ACTIVE')
    assert server.host == 'node2' and server.booted(len(before))[:2] == (marker, 2 * SECTORS)
    assert not list(server.hosts.libvirtds['node1'].instances.glob(f'{server.uuid}*'))


def test_nothing_of_it_is_left(server: Server) -> None:
    server.act('migrate')
    server.wait('VERIFY_RESIZE')
    server.client.call('DELETE', 'compute', f'/servers/{server.uuid}')
    server.client.gone(server.uuid, LONG)
    for libvirtd in server.hosts.libvirtds.values():
        assert not list(libvirtd.instances.glob(f'{server.uuid}*')) and server.uuid not in libvirtd.powers()
