"""SIGKILL and SIGSTOP of each daemon of a real cluster, in the middle of work: nothing is stuck, lost or left over.

After every test the ledger, claims, quotas, guests and ports are compared, see ``Cluster.wrong``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from compute.db.tables import instances, operations
from tests.real.cluster import Client, Cloud, Cluster, running, wait_for

MODES = ('eventlet', 'threading')


@pytest.fixture(scope='module')
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running(tmp_path_factory.mktemp('c')) as cluster:
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


@pytest.mark.parametrize('mode', MODES)
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
    cluster.use('eventlet')
    cluster.pause('scheduler')
    uuid = cloud.create()
    wait_for(lambda: cluster.row(operations, operations.c.instance_uuid == uuid, operations.c.stage == 'scheduling'), 20,
             'the call of the scheduler')
    cluster.kill('conductor')
    cluster.resume('scheduler')
    cluster.begin('conductor')
    client.wait(uuid, 'ACTIVE', timeout=60)


def test_conductor_killed_between_claim_and_hand_over(cluster: Cluster, client: Client, cloud: Cloud) -> None:
    cluster.pause('scheduler')
    uuid = cloud.create()
    wait_for(lambda: cluster.row(operations, operations.c.instance_uuid == uuid, operations.c.stage == 'scheduling'), 20,
             'the call of the scheduler')
    cluster.pause('conductor')
    cluster.resume('scheduler')
    wait_for(lambda: cluster.row(instances, instances.c.uuid == uuid, instances.c.host == 'node1'), 20, 'the claim')
    cluster.kill('conductor')
    cluster.begin('conductor')
    client.wait(uuid, 'ACTIVE', timeout=60)


def test_scheduler_killed_while_it_chooses(cluster: Cluster, client: Client, cloud: Cloud) -> None:
    cluster.pause('scheduler')
    uuid = cloud.create()
    wait_for(lambda: cluster.row(operations, operations.c.instance_uuid == uuid, operations.c.stage == 'scheduling'), 20,
             'the call of the scheduler')
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
