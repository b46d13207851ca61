"""SIGKILL and SIGSTOP of each daemon of a real cluster, in the middle of work: nothing is stuck, lost or left over.

After every test the ledger, claims, quotas, guests and ports are compared, see ``Cluster.wrong``.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from compute.db.tables import instances, operations
from tests.real.cluster import Client, Cloud, Cluster, running, wait_for
from tests.real.cluster_services import missing

pytestmark = pytest.mark.skipif(bool(missing()), reason=f'not installed: {", ".join(missing())}')


@pytest.fixture(scope='module')
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running(tmp_path_factory.mktemp('c'), concurrency='threading') as cluster:
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


@pytest.mark.parametrize('mode', ['threading', 'eventlet'])
def test_worker_killed(cluster: Cluster, client: Client, cloud: Cloud, mode: str) -> None:
    cluster.use(mode)
    uuids = [cloud.create(name='spawning')]
    reaches(cluster, uuids[0], 'spawning')
    cluster.kill('worker')
    cluster.pause('network_agent')
    cluster.begin('worker')
    uuids.append(cloud.create(name='networking'))
    reaches(cluster, uuids[1], 'networking')
    cluster.kill('worker')
    cluster.resume('network_agent')
    cluster.begin('worker')
    uuids.append(cloud.create(name='begun'))
    wait_for(lambda: cluster.row(operations, operations.c.instance_uuid == uuids[2],
                                 operations.c.owner == 'nova-compute@node1'), 30, 'begin')
    cluster.kill('worker')
    cluster.begin('worker')
    assert [ends(client, uuid) for uuid in uuids] == ['ACTIVE'] * 3


def test_conductor_killed_while_it_schedules(cluster: Cluster, client: Client, cloud: Cloud) -> None:
    cluster.pause('scheduler')
    uuid = cloud.create()
    asks(cluster, uuid)
    cluster.kill('conductor')
    cluster.resume('scheduler')
    cluster.begin('conductor')
    client.wait(uuid, 'ACTIVE', timeout=60)


def test_conductor_killed_between_claim_and_hand_over(cluster: Cluster, client: Client, cloud: Cloud) -> None:
    cluster.pause('scheduler')
    uuid = cloud.create()
    asks(cluster, uuid)
    cluster.pause('conductor')
    cluster.resume('scheduler')
    wait_for(lambda: cluster.row(instances, instances.c.uuid == uuid, instances.c.host == 'node1'), 20, 'the claim')
    cluster.kill('conductor')
    cluster.begin('conductor')
    client.wait(uuid, 'ACTIVE', timeout=60)


def test_scheduler_killed_while_it_chooses(cluster: Cluster, client: Client, cloud: Cloud) -> None:
    cluster.pause('scheduler')
    uuid = cloud.create()
    asks(cluster, uuid)
    cluster.kill('scheduler')
    cluster.begin('scheduler')
    client.wait(uuid, 'ACTIVE', timeout=60)


def test_api_killed_after_its_answer(cluster: Cluster, client: Client, cloud: Cloud) -> None:
    with ThreadPoolExecutor(4) as pool:
        uuids = list(pool.map(lambda number: cloud.create(name=f's{number}'), range(4)))
    cluster.kill('api')
    cluster.begin('api')
    for uuid in uuids:
        client.wait(uuid, 'ACTIVE', timeout=60)


def test_network_killed_while_a_port_is_awaited(cluster: Cluster, client: Client, cloud: Cloud) -> None:
    cluster.pause('network_agent')
    uuid = cloud.create()
    reaches(cluster, uuid, 'networking')
    wait_for(lambda: cloud.ports(uuid), 20, 'the port')
    cluster.kill('network')
    cluster.resume('network_agent')
    cluster.begin('network')
    client.wait(uuid, 'ACTIVE', timeout=60)
    assert len(cloud.ports(uuid)) == 1


def test_network_agent_killed_while_a_port_is_awaited(cluster: Cluster, client: Client, cloud: Cloud) -> None:
    cluster.pause('network_agent')
    uuid = cloud.create()
    reaches(cluster, uuid, 'networking')
    wait_for(lambda: cloud.ports(uuid), 20, 'the port')
    cluster.kill('network_agent')
    cluster.begin('network_agent')
    client.wait(uuid, 'ACTIVE', timeout=60)


def test_conductor_killed_while_the_host_works(cluster: Cluster, client: Client, cloud: Cloud) -> None:
    uuid = cloud.create()
    reaches(cluster, uuid, 'spawning')
    cluster.kill('conductor')
    cluster.begin('conductor')
    client.wait(uuid, 'ACTIVE', timeout=60)
    client.act(uuid, 'os-stop')
    cluster.kill('conductor')
    cluster.begin('conductor')
    client.wait(uuid, 'SHUTOFF', timeout=60)
    client.call('DELETE', 'compute', f'/servers/{uuid}')
    cluster.kill('conductor')
    cluster.begin('conductor')
    client.gone(uuid, timeout=60)


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
    client.gone(deleted, timeout=5)
    assert client.act(stopped, 'os-stop').status_code == 202 and client.act(started, 'os-start').status_code == 202
    for uuid, status, kind in ((stopped, 'ACTIVE', 'stop'), (started, 'SHUTOFF', 'start')):
        client.wait(uuid, status, timeout=20)
        assert operation(cluster, uuid, kind).error['code'] == 'host_down'
    assert deleted in cluster.guests()
    cluster.begin('worker')
    wait_for(lambda: deleted not in cluster.guests(), 20, 'the removal of the guest')


def test_a_worker_that_was_replaced_is_refused(cluster: Cluster, client: Client, cloud: Cloud) -> None:
    uuid = cloud.create()
    reaches(cluster, uuid, 'spawning')
    cluster.pause('worker')
    successor = cluster.add('worker9', host='node1')
    try:
        successor.start()
        client.wait(uuid, 'ACTIVE', timeout=60)
        cluster.resume('worker')
        old = cluster['worker'].process
        assert old is not None
        wait_for(lambda: old.poll() is not None, 40, 'the end of the old worker')
        assert 'newer incarnation' in cluster['worker'].said()
        assert cluster.guests() == {uuid: ['node1']}
        second = cloud.create(name='second')
        client.wait(second, 'ACTIVE', timeout=60)
    finally:
        successor.kill()
        cluster.begin('worker')


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
    assert 'image_corrupt' in fault['details'] and 'announced' in fault['message'], fault
    cluster.settled()
    process = cluster['worker'].process
    assert process is not None
    limits = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, limits[1]))
    full = cloud.create(name='full')
    assert ends(client, full) == 'ERROR'
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, limits)
    fault = client.server(full)['fault']
    assert 'disk_full' in fault['details'] and 'node1' in fault['message'], fault
    cluster['worker'].stop()
    cluster.add('worker')
    cluster.begin('worker')


def second_host(cluster: Cluster) -> None:
    if 'worker2' not in cluster.daemons:
        cluster.add('worker2')
        cluster.add('network_agent2')
        cluster.begin('network_agent2', 'worker2')


@pytest.mark.parametrize('fault', ['hangs', 'dies'])
def test_a_host_that_comes_back_finds_its_server_elsewhere(cluster: Cluster, client: Client, cloud: Cloud,
                                                           fault: str) -> None:
    """A worker that hangs, and one that died: the server is built on the other host and there is one guest of it."""
    second_host(cluster)
    uuid = cloud.create()
    reaches(cluster, uuid, 'spawning')
    host = cluster.row(instances, instances.c.uuid == uuid).host
    worker, other = ('worker', 'node2') if host == 'node1' else ('worker2', 'node1')
    (cluster.pause if fault == 'hangs' else cluster.kill)(worker)
    assert client.wait(uuid, 'ACTIVE', timeout=60)['OS-EXT-SRV-ATTR:host'] == other
    (cluster.resume if fault == 'hangs' else cluster.begin)(worker)
    wait_for(lambda: cluster.guests() == {uuid: [other]}, 30, 'one guest')


def test_many_at_once_while_a_conductor_dies(cluster: Cluster, client: Client, cloud: Cloud) -> None:
    second_host(cluster)
    for name in ('conductor2', 'scheduler2', 'api2'):
        cluster.add(name)
    cluster.begin('conductor2', 'scheduler2', 'api2')

    def boot(number: int) -> str:
        service = 'compute2' if number % 2 else 'compute'
        return str(client.ok('POST', service, '/servers', cloud.request(name=f'm{number}'))['server']['id'])
    with ThreadPoolExecutor(8) as pool:
        work = [pool.submit(boot, number) for number in range(40)]
        wait_for(lambda: sum(each.done() for each in work) >= 20, 60, 'half of the requests')
        cluster.kill('conductor')
        uuids = [each.result() for each in work]
    wait_for(lambda: len(cluster.guests()) == 40 and not cluster.open_operations(), 120, 'forty guests')
    servers = client.ok('GET', 'compute', '/servers/detail')['servers']
    assert sorted(server['id'] for server in servers) == sorted(uuids)
    assert {server['status'] for server in servers} == {'ACTIVE'}
    assert all(len(hosts) == 1 for hosts in cluster.guests().values())
    cluster.settled()
    cluster.begin('conductor')
