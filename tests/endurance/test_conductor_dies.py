"""A conductor is killed under forty requests at once: every server is there once, and active."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests import threads
from tests.endurance.conftest import Figures
from tests.real.cluster import Client, Cloud, Cluster, Timer, running, wait_for
from tests.real.cluster_services import missing
from tests.real.test_faults import second_host

pytestmark = pytest.mark.skipif(bool(missing()), reason=f'not installed: {", ".join(missing())}')


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running(tmp_path_factory.mktemp('c'), concurrency=threads.NATIVE) as cluster:
        yield cluster


def test_many_at_once_while_a_conductor_dies(cluster: Cluster, figures: Figures) -> None:
    client = Client(cluster)
    cloud = Cloud(client)
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
    with Timer() as taken:
        wait_for(lambda: len(cluster.guests()) == 40 and not cluster.open_operations(), 120, 'forty guests')
    figures.note('seconds until all are done', taken.seconds)
    servers = client.ok('GET', 'compute', '/servers/detail')['servers']
    assert sorted(server['id'] for server in servers) == sorted(uuids)
    assert {server['status'] for server in servers} == {'ACTIVE'}
    assert all(len(hosts) == 1 for hosts in cluster.guests().values())
    cluster.settled()
