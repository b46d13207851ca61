"""Every daemon of a cluster is stopped and started again under load, one of each kind at a time: no request fails.

The gate steps the same by hand, on one connection for each service: ``tests/real/test_restart.py``.

The listening sockets are held by the test, as systemd holds them, and shared by the daemons of a kind. Half of the
daemons run on green threads, half on native ones.
"""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
import sqlalchemy as sa

from compute.db.tables import operations
from tests import threads
from tests.endurance.conftest import Figures
from tests.real.cluster import Client, Cloud, Cluster, Timer, wait_for
from tests.real.cluster_services import missing

pytestmark = pytest.mark.skipif(bool(missing()), reason=f'not installed: {", ".join(missing())}')
WAVES = (('api', 'conductor', 'scheduler', 'network', 'worker'),
         ('identity', 'image', 'network_agent', 'worker3'),
         ('api2', 'conductor2', 'scheduler2', 'network2', 'worker2', 'identity2', 'image2'))
REQUESTS, CALLERS, SERVERS = 2000, 4, 3
CONTROL = {'conductor': {'service_down_time': 60}}
# Longer than a caller needs for a round on a slow machine, in which he asks each service once.
REST = {'DEFAULT': {'http_idle_grace': 8, 'graceful_shutdown_timeout': 20}}
SETTINGS = {'network_agent': {'network_agent': {'hosts': 'node1,node2,node3'}}, 'conductor': CONTROL,
            'api': {**CONTROL, **REST}, 'identity': REST, 'image': REST, 'network': REST, 'scheduler': CONTROL}


@pytest.fixture(scope='module')
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp('r'), threads.NATIVE, spawn_delay=0.2)
    try:
        cluster.hold()
        cluster.start([name for wave in WAVES for name in wave], SETTINGS, green='2')
        yield cluster
    finally:
        cluster.remove()


@pytest.fixture(scope='module')
def cloud(cluster: Cluster) -> Cloud:
    return Cloud(Client(cluster))


class Caller:
    """One user of the cloud, who boots servers, looks at them and deletes them, and notes what goes wrong."""

    def __init__(self, cluster: Cluster, body: dict[str, Any]) -> None:
        self.client, self._body = Client(cluster), body
        self.failed: list[str] = []
        self.counts: Counter[str] = Counter()
        self._servers: dict[str, bool] = {}

    def run(self, stop: threading.Event) -> None:
        """Go on until told to stop, and then until every server is gone."""
        while not stop.is_set():
            if len(self._servers) < SERVERS and (made := self._call('POST', '/servers', self._body, good=(202,))):
                self._servers[made['server']['id']] = False
            self._call('GET', '/servers')
            self._call('GET', '/servers/detail?limit=20')
            self._call('GET', '/v2.0/ports?limit=10', service='network')
            self._call('GET', '/v2/images', service='image')
            self._call('GET', '/auth/tokens', service='identity', token=True)
            self._look()
        wait_for(self._gone, 120, 'the end of all servers')

    def _look(self) -> None:
        """See how every server is; one that is there is deleted."""
        for uuid, deleted in list(self._servers.items()):
            found = self._call('GET', f'/servers/{uuid}', good=(200, 404) if deleted else (200,))
            if found is None:
                continue
            if not found.get('server'):
                del self._servers[uuid]
            elif found['server']['status'] == 'ERROR':
                self.failed.append(f'{uuid} is in ERROR: {found["server"].get("fault")}')
                del self._servers[uuid]
            elif found['server']['status'] == 'ACTIVE' and not deleted:
                self._servers[uuid] = self._call('DELETE', f'/servers/{uuid}', good=(204,)) is not None

    def _gone(self) -> bool:
        self._look()
        return not self._servers

    def _call(self, method: str, path: str, body: Any = None, service: str = 'compute',
              good: tuple[int, ...] = (200,), token: bool = False) -> dict[str, Any] | None:
        """Return the JSON of an answer that was to be expected, else note the request as failed and return None."""
        headers = {'X-Subject-Token': str(self.client._session.headers['X-Auth-Token'])} if token else {}
        self.counts[f'{method} {service}'] += 1
        try:
            answer = self.client.call(method, service, path, body, headers=headers)
        except requests.RequestException as error:
            self.failed.append(f'{method} {service} {path}: {error!r}')
            return None
        if answer.status_code not in good:
            self.failed.append(f'{method} {service} {path}: {answer.status_code} {answer.text[:300]}')
            return None
        return answer.json() if answer.content and answer.status_code != 404 else {}


def restart(cluster: Cluster, names: tuple[str, ...]) -> None:
    """Tell daemons to stop, all at once, and start them again; each has to end well."""
    for name in names:
        cluster[name].signal(signal.SIGTERM)
    codes = {name: cluster[name].stop() for name in names}
    assert set(codes.values()) == {0}, codes
    cluster.begin(*names)


@pytest.mark.timeout(1800)
def test_no_request_fails(cluster: Cluster, cloud: Cloud, figures: Figures) -> None:
    callers = [Caller(cluster, cloud.request()) for _ in range(CALLERS)]
    stop = threading.Event()

    def count() -> int:
        return sum(sum(caller.counts.values()) for caller in callers)
    with ThreadPoolExecutor(CALLERS) as pool:
        loads = [pool.submit(caller.run, stop) for caller in callers]
        try:
            wait_for(lambda: count() > 50, 60, 'the load')
            with Timer() as taken:
                for wave in WAVES:
                    restart(cluster, wave)
            during = count()
            wait_for(lambda: count() >= REQUESTS, 300, f'{REQUESTS} requests')
        finally:
            stop.set()
        for load in loads:
            load.result(150)
    counts = sum((caller.counts for caller in callers), Counter())
    failed = [each for caller in callers for each in caller.failed]
    figures.note('requests', count())
    figures.note('by kind', dict(counts))
    figures.note('requests during restarts', during)
    figures.note('seconds of restarts', taken.seconds)
    figures.at_most('failed requests', len(failed), 0)
    assert failed == []
    cluster.settled()
    ended = cluster.stores['compute'].rows(sa.select(operations.c.kind, operations.c.state, sa.func.count().label(
        'number')).group_by(operations.c.kind, operations.c.state))
    assert {(row.kind, row.state) for row in ended} <= {('create', 'done'), ('delete', 'done')}, ended
    assert {row.kind: row.number for row in ended}['create'] == counts['POST compute']
