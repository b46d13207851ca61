"""What the table of stages and faults (``tests/real/faults``) does not show: hosts that stay down, a broken image.

After every test the ledger, claims, quotas, guests and ports are compared, see ``Cluster.wrong``.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from typing import Any

import pytest

from compute.db.tables import instances, operations
from tests import threads
from tests.real.cluster import Client, Cloud, Cluster, running, wait_for
from tests.real.cluster_services import missing

pytestmark = pytest.mark.skipif(bool(missing()), reason=f'not installed: {", ".join(missing())}')


@pytest.fixture(scope='module')
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running(tmp_path_factory.mktemp('c'), concurrency=threads.NATIVE) as cluster:
        yield cluster


@pytest.fixture(scope='module')
def client(cluster: Cluster) -> Client:
    return Client(cluster)


@pytest.fixture(scope='module')
def cloud(client: Client) -> Cloud:
    return Cloud(client)


@pytest.fixture(autouse=True)
def nothing_is_left(cluster: Cluster, client: Client) -> Iterator[None]:
    yield
    cluster.settled()
    for server in client.ok('GET', 'compute', '/servers')['servers']:
        client.call('DELETE', 'compute', f'/servers/{server["id"]}')
    wait_for(lambda: not client.ok('GET', 'compute', '/servers')['servers'], 60, 'the end of all servers')
    cluster.settled()


def task_state(cluster: Cluster, uuid: str) -> str | None:
    row = cluster.row(instances, instances.c.uuid == uuid)
    return row.task_state if row else None


def reaches(cluster: Cluster, uuid: str, state: str) -> None:
    wait_for(lambda: task_state(cluster, uuid) == state, 30, state)


def asks(cluster: Cluster, uuid: str) -> None:
    wait_for(lambda: cluster.row(operations, operations.c.instance_uuid == uuid, operations.c.stage == 'scheduling'),
             20, 'the call of the scheduler')


def ends(client: Client, uuid: str, timeout: float = 60) -> str:
    """Wait until a server is idle; one in ERROR must say why."""
    def idle() -> dict[str, object] | None:
        server = client.server(uuid)
        return server if server['OS-EXT-STS:task_state'] is None and server['status'] != 'BUILD' else None
    server = wait_for(idle, timeout, 'the end of the work')
    if server['status'] == 'ERROR':
        assert server['fault']['message'], server
    return str(server['status'])


def test_each_daemon_is_a_process(cluster: Cluster, client: Client, cloud: Cloud) -> None:
    ids = {daemon.process.pid for daemon in cluster.daemons.values() if daemon.process is not None}
    assert len(ids) == 8 and all(os.path.exists(f'/proc/{pid}') for pid in ids)
    for name in ('worker', 'network_agent'):
        text = cluster[name].conf.read_text()
        assert 'mysql' not in text and '[database]' not in text and str(cluster.mariadb.port) not in text
    uuid = cloud.create()
    assert client.wait(uuid, 'ACTIVE')['OS-EXT-SRV-ATTR:host'] == 'node1'
    assert cluster.guests() == {uuid: ['node1']}
    client.call('DELETE', 'compute', f'/servers/{uuid}')
    client.gone(uuid)
    assert cluster.guests() == {}


def test_scheduler_killed_while_it_chooses(cluster: Cluster, client: Client, cloud: Cloud) -> None:
    cluster.pause('scheduler')
    uuid = cloud.create()
    asks(cluster, uuid)
    cluster.kill('scheduler')
    cluster.begin('scheduler')
    client.wait(uuid, 'ACTIVE', timeout=60)


def operation(cluster: Cluster, uuid: str, kind: str) -> Any:
    return cluster.row(operations, operations.c.instance_uuid == uuid, operations.c.kind == kind)


def test_host_down(cluster: Cluster, client: Client, cloud: Cloud) -> None:
    """What needs the host ends with the reason; a delete does not need it, and the host cleans up when it is back."""
    deleted, stopped, started = uuids = [cloud.create(name=f's{number}') for number in range(3)]
    for uuid in uuids:
        client.wait(uuid, 'ACTIVE')
    client.act(started, 'os-stop')
    client.wait(started, 'SHUTOFF')
    cluster.kill('worker')
    wait_for(lambda: client.ok('GET', 'compute', '/os-services?binary=nova-compute')['services'][0]['state'] == 'down',
             40, 'the host being down')
    client.call('DELETE', 'compute', f'/servers/{deleted}')
    client.gone(deleted, timeout=60)
    assert client.act(stopped, 'os-stop').status_code == 202 and client.act(started, 'os-start').status_code == 202
    for uuid, status, kind in ((stopped, 'ACTIVE', 'stop'), (started, 'SHUTOFF', 'start')):
        client.wait(uuid, status, timeout=60)
        assert operation(cluster, uuid, kind).error['code'] == 'host_down'
    assert deleted in cluster.guests()
    cluster.begin('worker')
    wait_for(lambda: deleted not in cluster.guests(), 20, 'the removal of the guest')


def test_image_corrupt_and_disk_full(cluster: Cluster, client: Client, cloud: Cloud) -> None:
    cluster['worker'].stop()
    cluster.add('worker', fake={'download_images': True})
    cluster.begin('worker')
    broken = Cloud.image_of(client, 'broken', b'y' * 4096)
    paths = [path for path in (cluster.folder / 'images').rglob(f'{broken}*') if path.is_file()]
    assert len(paths) == 1
    paths[0].chmod(0o600)
    paths[0].write_bytes(b'z' * 4096)
    uuid = cloud.create(imageRef=broken)
    assert ends(client, uuid) == 'ERROR'
    fault = client.server(uuid)['fault']
    assert 'image_corrupt' in fault['message'] and 'announced' in fault['message'], fault
    cluster.settled()
    process = cluster['worker'].process
    assert process is not None
    limits = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, limits[1]))
    full = cloud.create(name='full')
    assert ends(client, full) == 'ERROR'
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, limits)
    fault = client.server(full)['fault']
    assert 'disk_full' in fault['message'] and 'node1' in fault['details'], fault
    assert 'node1' not in fault['message'], fault
    cluster['worker'].stop()
    cluster.add('worker')
    cluster.begin('worker')


def second_host(cluster: Cluster) -> None:
    if 'worker2' not in cluster.daemons:
        cluster.add('worker2')
        cluster.add('network_agent2')
        cluster.begin('network_agent2', 'worker2')


def test_a_host_that_comes_back_finds_its_server_elsewhere(cluster: Cluster, client: Client, cloud: Cloud) -> None:
    """The server of a worker that died is built on the other host, and there is one guest of it."""
    second_host(cluster)
    uuid = cloud.create()
    reaches(cluster, uuid, 'spawning')
    host = cluster.row(instances, instances.c.uuid == uuid).host
    worker, other = ('worker', 'node2') if host == 'node1' else ('worker2', 'node1')
    cluster.kill(worker)
    assert client.wait(uuid, 'ACTIVE', timeout=60)['OS-EXT-SRV-ATTR:host'] == other
    cluster.begin(worker)
    wait_for(lambda: cluster.guests() == {uuid: [other]}, 30, 'one guest')
