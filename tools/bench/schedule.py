#!/usr/bin/env python3
"""How fast the scheduler decides and claims: decisions in memory, then whole selections on SQLite (or --url).

It needs nothing but the package: hosts and servers are rows in a store of its own, which is removed at the end. A
decision is everything from the list of hosts to the ranking; a selection adds the refresh and the claim's transaction.
"""

from __future__ import annotations

import argparse
import pathlib
import random
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from oslo_config import cfg  # noqa: E402

from compute import conf as options  # noqa: E402
from compute.db import claims, hosts, instances, services  # noqa: E402
from compute.db.session import Database  # noqa: E402
from compute.db.tables import metadata  # noqa: E402
from compute.objects.flavor import Flavor  # noqa: E402
from compute.objects.host import Inventory  # noqa: E402
from compute.objects.instance import Instance  # noqa: E402
from compute.objects.registration import HostReport  # noqa: E402
from compute.objects.request_spec import RequestSpec, ServerGroup  # noqa: E402
from compute.objects.value import now  # noqa: E402
from compute.scheduler.decide import decide  # noqa: E402
from compute.scheduler.request import Request  # noqa: E402
from compute.scheduler.select import SelectEndpoint  # noqa: E402

FLAVOR = Flavor(flavorid='1', name='m1.tiny', vcpus=1, memory_mb=512, root_gb=1)


def main() -> None:
    """Print one table for each number of hosts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--hosts', type=int, nargs='+', default=[100, 1000, 10000])
    parser.add_argument('--decisions', type=int, default=200, help='decisions to time at each number of hosts')
    parser.add_argument('--servers', type=int, default=200, help='servers to place at each number of hosts')
    parser.add_argument('--threads', type=int, default=8, help='callers at once in the last line of each table')
    parser.add_argument('--url', help='an empty database to use instead of SQLite; what is in it is lost')
    arguments = parser.parse_args()
    print(f'{"hosts":>6} {"what":<34} {"per second":>10} {"p50 ms":>8} {"p99 ms":>8}')
    for count in arguments.hosts:
        with tempfile.TemporaryDirectory(prefix='bench-schedule-') as folder:
            conf = options.register(cfg.ConfigOpts())
            conf([], default_config_files=[], default_config_dirs=[])
            database = Database(arguments.url or f'sqlite:///{folder}/store.sqlite', conf.database)
            metadata.drop_all(database.engine)
            metadata.create_all(database.engine)
            try:
                measure(database, conf, count, arguments)
            finally:
                database.dispose()


def measure(database: Database, conf: cfg.ConfigOpts, count: int, arguments: argparse.Namespace) -> None:
    """Time decisions, claims and selections with this many hosts."""
    add_hosts(database, count)
    endpoint = SelectEndpoint(database, conf)
    endpoint.states.refresh()
    group = ServerGroup(uuid=str(uuid.uuid4()), policy='anti-affinity',
                        member_hosts=tuple(f'host-{number}' for number in range(count // 2)))

    def decision(spec: RequestSpec) -> None:
        with endpoint.states.lock:
            decide(endpoint.states.all(), Request(spec), endpoint._rules, endpoint._dice)
    plain = RequestSpec(instance_uuid='x', flavor=FLAVOR)
    apart = RequestSpec(instance_uuid='x', flavor=FLAVOR, group=group)
    huge = RequestSpec(instance_uuid='x', flavor=Flavor(flavorid='2', name='huge', vcpus=1, memory_mb=10**8))
    show(count, 'decision', timed(decision, [plain] * arguments.decisions))
    show(count, 'decision, half in anti-affinity', timed(decision, [apart] * arguments.decisions))
    show(count, 'decision, no host fits', timed(decision, [huge] * arguments.decisions))
    specs = add_servers(database, arguments.servers * 3)
    ids = [state.id for state in endpoint.states.all()]
    dice = random.Random(1)

    def claim(spec: RequestSpec) -> None:
        assert database.transaction(lambda connection: claims.claim(connection, spec, dice.choice(ids)))

    def select(spec: RequestSpec) -> None:
        endpoint.select(None, spec=spec)
    show(count, 'claim', timed(claim, specs[0::3]))
    show(count, 'select (decide and claim)', timed(select, specs[1::3]))
    show(count, f'select, {arguments.threads} callers', timed(select, specs[2::3], arguments.threads))
    wrong = database.read(claims.audit)
    print(f'{count:>6} {"audit":<34} {"clean" if not wrong else wrong[0].message}')


def add_hosts(database: Database, count: int) -> None:
    """Register hosts with some variety of size."""
    def add(connection: Any) -> None:
        for number in range(count):
            name, size = f'host-{number}', 1 + number % 4
            service = services.beat(connection, name, 'nova-compute', 'worker', 'i', 'nova')
            hosts.upsert(
                connection, HostReport(host=name, incarnation='i', node_uuid=str(uuid.uuid4())),
                Inventory(node=name, vcpus=16 * size, memory_mb=65536 * size, disk_gb=1000 * size,
                          free_disk_gb=1000 * size), service.id)
    database.transaction(add)


def add_servers(database: Database, count: int) -> list[RequestSpec]:
    """Add servers that wait for a host."""
    servers = [Instance(uuid=str(uuid.uuid4()), project_id='p', user_id='u', name='s', flavor=FLAVOR,
                        created_at=now(), updated_at=now()) for _ in range(count)]
    database.transaction(lambda connection: [instances.insert(connection, server) for server in servers])
    return [RequestSpec(instance_uuid=server.uuid, flavor=FLAVOR) for server in servers]


def timed(function: Callable[[Any], None], jobs: list[Any], threads: int = 1) -> tuple[float, list[float]]:
    """Return the whole time and each call's, in seconds."""
    def one(job: Any) -> float:
        begun = time.perf_counter()
        function(job)
        return time.perf_counter() - begun
    begun = time.perf_counter()
    if threads == 1:
        times = [one(job) for job in jobs]
    else:
        with ThreadPoolExecutor(threads) as pool:
            times = list(pool.map(one, jobs))
    return time.perf_counter() - begun, times


def show(count: int, what: str, result: tuple[float, list[float]]) -> None:
    """Print a line."""
    total, times = result
    cuts = statistics.quantiles(times, n=100, method='inclusive')
    print(f'{count:>6} {what:<34} {len(times) / total:>10.0f} {cuts[49] * 1000:>8.2f} {cuts[98] * 1000:>8.2f}')


if __name__ == '__main__':
    main()
