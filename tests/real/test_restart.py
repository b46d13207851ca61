"""Every daemon of a cluster is stopped and started again, one step after the other: a request waits for its daemon.
Work that a stop cuts off goes on, and a start waits for what is missing.

The listening sockets are held by the test, as systemd holds them, and shared by the daemons of a kind. Half of the
daemons run on green threads, half on native ones. The end of a server with open connections is stepped by
``tests/functional/test_http_end.py``; the endurance set restarts everything under load.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from compute.db.tables import operation_events, operations
from compute.objects.value import now
from tests import threads
from tests.real.cluster import Client, Cloud, Cluster, wait_for
from tests.real.cluster_services import missing

pytestmark = pytest.mark.skipif(bool(missing()), reason=f'not installed: {", ".join(missing())}')
SERVED = {'identity': ('identity', '/projects'), 'image': ('image', '/v2/images'),
          'network': ('network', '/v2.0/ports'), 'api': ('compute', '/servers/detail')}
"""What each REST daemon is asked: its service and a path."""
NAMES = ('conductor', 'scheduler', 'worker', 'network_agent', *SERVED, 'conductor2', 'scheduler2', 'worker2', 'api2')
CONTROL = {'conductor': {'service_down_time': 180}}
SETTINGS = {'network_agent': {'network_agent': {'hosts': 'node1,node2'}}, 'conductor': CONTROL, 'api': CONTROL,
            'scheduler': CONTROL}


@pytest.fixture(scope='module')
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp('r'), threads.NATIVE, spawn_delay=0.2)
    try:
        cluster.hold()
        cluster.start(NAMES, SETTINGS, green='2')
        yield cluster
    finally:
        cluster.remove()


@pytest.fixture(scope='module')
def cloud(cluster: Cluster) -> Cloud:
    return Cloud(Client(cluster))


def test_a_request_waits_for_a_daemon_that_is_restarted(cluster: Cluster, cloud: Cloud) -> None:
    """Each daemon ends in order. What comes while none of its kind runs is answered by the next one."""
    client = cloud.client
    first = cloud.create()
    client.wait(first, 'ACTIVE')
    for kind in (*SERVED, 'conductor', 'scheduler', 'worker', 'network_agent'):
        names = [name for name in NAMES if name.rstrip('2') == kind]
        assert {name: cluster[name].stop() for name in names} == dict.fromkeys(names, 0)
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(client.call, 'GET', *SERVED.get(kind, SERVED['api']))
            cluster.begin(*names)
            answer = asked.result()
        assert answer.status_code == 200, answer.text
    assert client.server(first)['status'] == 'ACTIVE'
    second = cloud.create()
    client.wait(second, 'ACTIVE')
    for uuid in (first, second):
        client.call('DELETE', 'compute', f'/servers/{uuid}')
        client.gone(uuid)
    cluster.settled()


def created(cluster: Cluster, cloud: Cloud, stage: str, **wishes: Any) -> str:
    """Ask for a server and return when its creation has come to a stage."""
    uuid = cloud.create(**wishes)
    mine = (operations.c.instance_uuid == uuid, operations.c.stage == stage)
    wait_for(lambda: cluster.row(operations, *mine), 60, stage)
    return str(uuid)


def failures(cluster: Cluster, uuid: str) -> list[Any]:
    """Return the stages of a server's creation that failed."""
    return cluster.stores['compute'].rows(sa.select(operation_events.c.name).join(
        operations, operations.c.id == operation_events.c.operation_id).where(
        operations.c.instance_uuid == uuid, operations.c.kind == 'create', operation_events.c.result == 'Error'))


def test_work_that_a_stop_cuts_off_goes_on(cluster: Cluster, cloud: Cloud) -> None:
    """A spawn at a worker that stops is neither failed nor undone; what a conductor holds goes to another at once."""
    client = cloud.client
    short = {'DEFAULT': {'graceful_shutdown_timeout': 3}}
    cluster['worker'].stop()
    cluster['conductor2'].stop()
    cluster['conductor'].stop()
    cluster.add('worker', fake={'spawn_delay': 600}, **short)
    cluster.add('conductor', **short, **CONTROL)
    cluster.begin('worker', 'conductor')
    spawning = created(cluster, cloud, 'spawning', availability_zone='nova:node1')
    assert cluster['worker'].stop() == 0
    cluster.pause('scheduler', 'scheduler2')
    waiting = created(cluster, cloud, 'scheduling')
    assert cluster['conductor'].stop() == 0
    row = cluster.row(operations, operations.c.instance_uuid == waiting)
    assert (row.state, row.owner) == ('running', None) and row.lease_until <= now()
    cluster.resume('scheduler', 'scheduler2')
    cluster.add('worker')
    cluster.begin('worker', 'conductor2')
    for uuid in (spawning, waiting):
        client.wait(uuid, 'ACTIVE', timeout=120)
        assert not failures(cluster, uuid)
        client.call('DELETE', 'compute', f'/servers/{uuid}')
        client.gone(uuid, timeout=60)
    cluster.begin('conductor')
    cluster.settled()


def test_a_start_says_what_it_waits_for(cluster: Cluster) -> None:
    """Without broker or database daemons start, say so, and serve when it is there."""
    names = ('scheduler', 'worker2', 'conductor')
    for name in names:
        cluster[name].stop()
    cluster.mariadb.stop()
    cluster.broker.stop()
    for name in names:
        cluster[name].start(wait=False)
    for name, missed in (('scheduler', 'database'), ('conductor', 'database'), ('worker2', 'broker')):
        wait_for(lambda name=name, missed=missed: _misses(cluster, name, missed), 90, f'{name} says so')  # type: ignore[misc]
    assert cluster['worker2'].stop() == 0
    cluster['worker2'].start(wait=False)
    cluster.mariadb.start()
    wait_for(lambda: _misses(cluster, 'scheduler', 'broker'), 90, 'the scheduler has its database')
    cluster.broker.start()
    for name in names:
        cluster[name].wait()
    wait_for(lambda: _serves(cluster, 'scheduler'), 60, 'the scheduler is well')  # a look may be old
    cluster.settled(120)


def _serves(cluster: Cluster, name: str) -> bool:
    """A machine that is slow is another matter: the daemon says so, and serves."""
    status, text = cluster[name].health()
    return status == 200 and 'database' not in text and 'broker' not in text


def _misses(cluster: Cluster, name: str, what: str) -> bool:
    process = cluster[name].process
    assert process is not None and process.poll() is None, cluster[name].said()[-2000:]
    status, text = cluster[name].health()
    return status == 503 and what in text
