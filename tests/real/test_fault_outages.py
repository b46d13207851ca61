"""The broker and the database of a real cluster go away and come back: requests are answered, work goes on by itself.

After every test the ledger, claims, quotas, guests and ports are compared, see ``Cluster.wrong``. How long requests
take meanwhile, and what daemons hold, is measured by the endurance set.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests import threads
from tests.real.cluster import Client, Cloud, Cluster, running, wait_for
from tests.real.cluster_services import missing
from tests.waiting import LONG, elapse

pytestmark = pytest.mark.skipif(bool(missing()), reason=f'not installed: {", ".join(missing())}')


@pytest.fixture(scope='module')
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running(tmp_path_factory.mktemp('o'), concurrency=threads.NATIVE, spawn_delay=1.0) as cluster:
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


@pytest.mark.parametrize('mode', ['threading', 'eventlet'])
def test_broker_gone(cluster: Cluster, client: Client, cloud: Cloud, mode: str) -> None:
    cluster.use(mode)
    first = cloud.create(name='before')
    client.wait(first, 'ACTIVE')
    cluster.broker.kill()
    uuids = [cloud.create(name=f's{number}') for number in range(2)]
    with ThreadPoolExecutor(4) as pool:
        uuids += pool.map(lambda number: cloud.create(name=f'p{number}'), range(4))
        assert client.act(first, 'os-stop').status_code == 202
    told = wait_for(lambda: 'broker: ' in (found := cluster['conductor'].health())[1] and found, 40, 'a reason')
    assert told[0] == 200 and told[1].startswith('DEGRADED'), 'it stays in service, and says what is missing'
    cluster.broker.start()
    client.wait(first, 'SHUTOFF', timeout=60)
    for uuid in uuids:
        client.wait(uuid, 'ACTIVE', timeout=60)
    wait_for(lambda: 'broker: ' not in cluster['conductor'].health()[1], 40, 'the end of the reason')
    metrics = requests.get(f'http://127.0.0.1:{cluster["conductor"].health_port}/metrics', timeout=LONG).text
    reconnects = re.search(r'^compute_broker_reconnects_total (\S+)', metrics, re.M)
    assert reconnects and float(reconnects.group(1)) >= 1
    assert re.search(r'^compute_broker_queue_messages\{queue="conductor"\} ', metrics, re.M)


def test_broker_hangs(cluster: Cluster, client: Client, cloud: Cloud) -> None:
    """A broker that is frozen is worse than none: nothing tells that it is."""
    cluster.use('eventlet')
    cluster.broker.pause()
    uuids = [cloud.create(name=f's{number}') for number in range(3)]
    cluster.broker.resume()
    for uuid in uuids:
        client.wait(uuid, 'ACTIVE', timeout=60)


def test_messages_are_lost(cluster: Cluster, client: Client, cloud: Cloud) -> None:
    cluster.kill('conductor')
    uuids = [cloud.create(name=f's{number}') for number in range(3)]
    wait_for(lambda: cluster.broker.waiting('conductor') >= 3, 20, 'messages')
    assert cluster.broker.purge(['conductor', 'worker.node1', 'scheduler']) >= 3
    cluster.begin('conductor')
    for uuid in uuids:
        client.wait(uuid, 'ACTIVE', timeout=60)
    cluster.kill('worker')
    for uuid in uuids:
        assert client.act(uuid, 'os-stop').status_code == 202
    wait_for(lambda: cluster.broker.waiting('worker.node1') >= 3, 20, 'messages')
    cluster.broker.purge(['worker.node1'])
    cluster.begin('worker')
    for uuid in uuids:
        client.wait(uuid, 'SHUTOFF', timeout=60)


def test_broker_restarts_in_the_middle(cluster: Cluster, client: Client, cloud: Cloud) -> None:
    with ThreadPoolExecutor(4) as pool:
        uuids = list(pool.map(lambda number: cloud.create(name=f's{number}'), range(8)))
        cluster.broker.stop()
        cluster.broker.start()
        uuids += pool.map(lambda number: cloud.create(name=f't{number}'), range(4))
    for uuid in uuids:
        client.wait(uuid, 'ACTIVE', timeout=60)


def test_database_gone(cluster: Cluster, client: Client, cloud: Cloud) -> None:
    stays = cloud.create(name='stays')
    client.wait(stays, 'ACTIVE')
    begun = cloud.create(name='begun')
    cluster.mariadb.kill()
    for method, path, body in (('GET', '/servers/detail', None), ('POST', '/servers', cloud.request())):
        answer = client.call(method, 'compute', path, body)
        assert answer.status_code == 503 and 'database' in answer.text.lower(), answer.text
    answer = client.call('GET', 'network', '/v2.0/ports')
    assert answer.status_code == 503, answer.text
    cluster.mariadb.start()
    # Requests are refused for a moment after the last one that failed: the answer says to come again.
    wait_for(lambda: client.call('GET', 'compute', f'/servers/{begun}').status_code == 200, 60, 'the database')
    client.wait(begun, 'ACTIVE', timeout=60)
    assert client.act(stays, 'os-stop').status_code == 202
    client.wait(stays, 'SHUTOFF')
    assert all(daemon.process and daemon.process.poll() is None for daemon in cluster.daemons.values())


def test_database_hangs(cluster: Cluster, client: Client, cloud: Cloud) -> None:
    """A machine that freezes for a while: connections stay open, nothing is answered."""
    begun = cloud.create(name='begun')
    cluster.mariadb.pause()
    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(client.call, 'GET', 'compute', '/servers') for _ in range(3)]
        elapse(5)
        cluster.mariadb.resume()
        assert {answer.result().status_code for answer in answers} <= {200, 503}
    client.wait(begun, 'ACTIVE', timeout=60)
