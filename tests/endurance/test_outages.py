"""How long requests take, and what daemons hold, while the broker or the database of a real cluster is away."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests import threads
from tests.endurance.conftest import Figures
from tests.real.cluster import Client, Cloud, Cluster, Timer, running, wait_for
from tests.real.cluster_services import missing

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


def slowest_create(cloud: Cloud, count: int) -> tuple[float, list[str]]:
    """Create servers one after the other; return the seconds of the slowest request, and their ids."""
    slowest, uuids = 0.0, []
    for number in range(count):
        with Timer() as taken:
            uuids.append(cloud.create(name=f's{number}'))
        slowest = max(slowest, taken.seconds)
    return slowest, uuids


@pytest.mark.parametrize('mode', ['threading', 'eventlet'])
def test_broker_gone(cluster: Cluster, client: Client, cloud: Cloud, mode: str, figures: Figures) -> None:
    cluster.use(mode)
    first = cloud.create(name='before')
    client.wait(first, 'ACTIVE')
    held = {name: cluster[name].threads() for name in ('api', 'conductor', 'worker')}
    cluster.broker.kill()
    slowest, uuids = slowest_create(cloud, 5)
    figures.at_most('seconds of the slowest request', slowest, 3)
    with Timer() as taken, ThreadPoolExecutor(8) as pool:
        uuids += pool.map(lambda number: cloud.create(name=f'p{number}'), range(8))
        assert client.act(first, 'os-stop').status_code == 202
    figures.at_most('seconds of nine requests at once', taken.seconds, 6)
    for name, number in held.items():
        figures.at_most(f'threads of the {name} more than before', cluster[name].threads() - number, 25)
    cluster.broker.start()
    with Timer() as taken:
        client.wait(first, 'SHUTOFF')
    figures.at_most('seconds until the first work is done after the broker is back', taken.seconds, 20)
    for uuid in uuids:
        client.wait(uuid, 'ACTIVE')


def test_broker_hangs(cluster: Cluster, client: Client, cloud: Cloud, figures: Figures) -> None:
    cluster.use('eventlet')
    cluster.broker.pause()
    slowest, uuids = slowest_create(cloud, 4)
    figures.at_most('seconds of the slowest request', slowest, 4)
    cluster.broker.resume()
    for uuid in uuids:
        client.wait(uuid, 'ACTIVE')


def test_database_gone(cluster: Cluster, client: Client, cloud: Cloud, figures: Figures) -> None:
    begun = cloud.create(name='begun')
    cluster.mariadb.kill()
    for method, path, body in (('GET', '/servers/detail', None), ('POST', '/servers', cloud.request())):
        with Timer() as taken:
            assert client.call(method, 'compute', path, body).status_code == 503
        figures.at_most(f'seconds of {method} {path}', taken.seconds, 15)
    cluster.mariadb.start()
    with Timer() as taken:
        wait_for(lambda: client.call('GET', 'compute', f'/servers/{begun}').status_code == 200, 60, 'the database')
        client.wait(begun, 'ACTIVE')
    figures.note('seconds until the server that was begun is there after the database is back', taken.seconds)
