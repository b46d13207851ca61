"""Resize and cold migration over six hosts: confirmed, reverted, refused, and undone."""

from __future__ import annotations

import contextlib
import pathlib
import sqlite3
import uuid as uuids
from collections.abc import Iterator
from typing import Any

import pytest

from tests.functional.standalone import Client, Cloud, Standalone, running

HOSTS = 'node1,node2,node3'


@pytest.fixture(scope='module')
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standalone]:
    with running(tmp_path_factory.mktemp('moves'), overrides={
            'worker': {'hosts': HOSTS}, 'network_agent': {'hosts': HOSTS}}) as stack:
        yield stack


@pytest.fixture(scope='module')
def client(stack: Standalone) -> Client:
    return Client(stack)


@pytest.fixture(scope='module')
def cloud(client: Client) -> Cloud:
    return Cloud(client)


@pytest.fixture
def server(client: Client, cloud: Cloud) -> Iterator[str]:
    uuid = cloud.create()
    client.wait(uuid, 'ACTIVE')
    yield uuid
    client.call('DELETE', 'compute', f'/servers/{uuid}')
    client.gone(uuid)
    assert not cloud.ports(uuid)


def flavor_of(client: Client, **values: int) -> str:
    """Create a flavor and return its id."""
    wanted = {'ram': 512, 'vcpus': 2, 'disk': 2, **values}
    made = client.ok('POST', 'compute', '/flavors', {'flavor': {'name': str(uuids.uuid4()), **wanted}})
    return str(made['flavor']['id'])


def host_of(client: Client, uuid: str) -> str:
    return str(client.server(uuid)['OS-EXT-SRV-ATTR:host'])


def used(client: Client) -> dict[str, Any]:
    """Return what the project is charged with."""
    return {name: client.ok('GET', 'compute', '/limits')['limits']['absolute'][f'total{name}Used']
            for name in ('Cores', 'RAM', 'Instances')}


def claims(client: Client) -> dict[str, tuple[int, int]]:
    """Return the processors and the memory in use by host."""
    found = client.ok('GET', 'compute', '/os-hypervisors/detail', version='2.87')['hypervisors']
    return {each['hypervisor_hostname']: (each['vcpus_used'], each['memory_mb_used']) for each in found}


def test_a_resize_is_confirmed(client: Client, cloud: Cloud, server: str) -> None:
    before, charged = claims(client), used(client)
    larger = flavor_of(client)
    assert client.act(server, 'resize', {'flavorRef': larger}).status_code == 202
    shown = client.wait(server, 'VERIFY_RESIZE')
    assert shown['flavor']['vcpus'] == 2 and shown['OS-EXT-STS:power_state'] == 1
    assert used(client) == {**charged, 'Cores': charged['Cores'] + 1, 'RAM': charged['RAM'] + 256}
    assert client.act(server, 'os-stop').status_code == 409
    assert client.act(server, 'confirmResize').status_code == 204
    client.wait(server, 'ACTIVE')
    after = claims(client)
    assert sum(cores for cores, _ in after.values()) == sum(cores for cores, _ in before.values()) + 1
    assert {port['binding:host_id'] for port in cloud.ports(server)} == {host_of(client, server)}
    actions = client.ok('GET', 'compute', f'/servers/{server}/os-instance-actions')['instanceActions']
    assert [action['action'] for action in actions] == ['confirmResize', 'resize', 'create']


def test_a_migration_is_reverted(client: Client, cloud: Cloud, server: str) -> None:
    before, here = claims(client), host_of(client, server)
    assert client.act(server, 'migrate').status_code == 202
    client.wait(server, 'VERIFY_RESIZE')
    there = host_of(client, server)
    assert there != here and {port['binding:host_id'] for port in cloud.ports(server)} == {there}
    assert client.act(server, 'revertResize').status_code == 202
    client.wait(server, 'ACTIVE')
    assert host_of(client, server) == here and claims(client) == before
    assert {port['binding:host_id'] for port in cloud.ports(server)} == {here}


def disk_of(stack: Standalone, host: str, uuid: str, suffix: str = '') -> pathlib.Path:
    """Return where the fake has the disk of a guest."""
    return stack.folder / 'guests' / host / 'disks' / f'{uuid}{suffix}' / 'disk'


def test_the_disk_moves_along(stack: Standalone, client: Client, server: str) -> None:
    here = host_of(client, server)
    data = f'made on {here}\nwritten by its user\n' * 100000
    disk_of(stack, here, server).write_text(data)
    client.act(server, 'migrate')
    client.wait(server, 'VERIFY_RESIZE')
    there = host_of(client, server)
    assert disk_of(stack, there, server).read_text() == data
    assert disk_of(stack, here, server, '_resize').read_text() == data and not disk_of(stack, here, server).exists()
    client.act(server, 'revertResize')
    client.wait(server, 'ACTIVE')
    assert disk_of(stack, here, server).read_text() == data and not disk_of(stack, there, server).exists()
    client.act(server, 'migrate')
    client.wait(server, 'VERIFY_RESIZE')
    client.act(server, 'confirmResize')
    client.wait(server, 'ACTIVE')
    folders = [path.name for path in (stack.folder / 'guests').glob(f'*/disks/{server}*')]
    assert folders == [server]


def test_the_token_of_a_transfer_is_neither_kept_nor_logged(stack: Standalone, client: Client, server: str) -> None:
    client.act(server, 'migrate')
    client.wait(server, 'VERIFY_RESIZE')
    with contextlib.closing(sqlite3.connect(stack.folder / 'db.sqlite')) as database:
        (plan,), = database.execute('SELECT plan FROM operations WHERE instance_uuid = ? AND kind = ?',
                                    (server, 'migrate'))
    assert 'destination_address' in plan and 'fingerprint' not in plan and 'token' not in plan
    assert 'fingerprint' not in stack.log.read_text()
    operations = client.ok('GET', 'compute', f'/servers/{server}/operations')
    assert 'fingerprint' not in str(operations) and 'plan' not in str(operations)


def test_a_stopped_server_stays_stopped(client: Client, server: str) -> None:
    client.act(server, 'os-stop')
    client.wait(server, 'SHUTOFF')
    there = next(name for name in HOSTS.split(',') if name != host_of(client, server))
    assert client.act(server, 'migrate', {'host': there}).status_code == 202
    assert client.wait(server, 'VERIFY_RESIZE')['OS-EXT-STS:power_state'] == 4
    assert client.act(server, 'confirmResize').status_code == 204
    client.wait(server, 'SHUTOFF')
    assert host_of(client, server) == there


def test_a_smaller_flavor_is_freed_when_it_is_confirmed(client: Client, server: str) -> None:
    smaller = flavor_of(client, ram=64, vcpus=1, disk=1)
    charged = used(client)
    client.act(server, 'resize', {'flavorRef': smaller})
    client.wait(server, 'VERIFY_RESIZE')
    assert used(client) == charged
    client.act(server, 'confirmResize')
    client.wait(server, 'ACTIVE')
    assert used(client) == {**charged, 'RAM': charged['RAM'] - 192}


@pytest.mark.parametrize(('values', 'code'), [({'disk': 0}, 400), ({'ram': 1 << 30}, 403)])
def test_what_cannot_be_is_refused(client: Client, server: str, values: dict[str, int], code: int) -> None:
    charged = used(client)
    answer = client.act(server, 'resize', {'flavorRef': flavor_of(client, **values)})
    assert answer.status_code == code, answer.text
    assert client.server(server)['status'] == 'ACTIVE' and used(client) == charged


def test_other_refusals(client: Client, cloud: Cloud, server: str) -> None:
    assert client.act(server, 'resize', {'flavorRef': cloud.flavor}).status_code == 400
    assert client.act(server, 'resize', {'flavorRef': 'nothing'}).status_code == 400
    assert client.act(server, 'migrate', {'host': 'nowhere'}).status_code == 400
    assert client.act(server, 'migrate', {'host': host_of(client, server)}).status_code == 400
    assert client.act(server, 'confirmResize').status_code == 409
    assert client.act(server, 'revertResize').status_code == 409


def test_no_host_leaves_the_server_as_it_is(client: Client, cloud: Cloud, server: str) -> None:
    charged, before = used(client), claims(client)
    client.ok('PUT', 'compute', f'/os-quota-sets/{client.project_id}', {'quota_set': {'ram': -1}})
    assert client.act(server, 'resize', {'flavorRef': flavor_of(client, ram=1 << 24)}).status_code == 202
    shown = client.wait(server, 'ACTIVE')
    assert 'No valid host' in shown['fault']['message'] if 'fault' in shown else True
    assert used(client) == charged and claims(client) == before
    assert client.act(server, 'reboot', {'type': 'HARD'}).status_code == 202
    client.wait(server, 'ACTIVE')


def test_a_delete_in_the_midst_leaves_nothing(client: Client, cloud: Cloud) -> None:
    before = claims(client)
    uuid = cloud.create()
    client.wait(uuid, 'ACTIVE')
    client.act(uuid, 'migrate')
    client.call('DELETE', 'compute', f'/servers/{uuid}')
    client.gone(uuid)
    assert claims(client) == before and not cloud.ports(uuid)
