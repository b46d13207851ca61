"""Scenarios of the scheduler: ``size`` hosts are rows in a store on SQLite, and in the memory of one scheduler."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from oslo_config import cfg

from compute import conf as options
from compute.db import hosts, instances, services
from compute.db.session import Database
from compute.db.tables import metadata
from compute.db.tables import services as table
from compute.objects.flavor import Flavor
from compute.objects.host import Inventory
from compute.objects.instance import Instance
from compute.objects.registration import HostReport
from compute.objects.request_spec import RequestSpec, ServerGroup
from compute.objects.value import now
from compute.scheduler.decide import decide
from compute.scheduler.request import Request
from compute.scheduler.select import SelectEndpoint

FLAVOR = Flavor(flavorid='1', name='m1.tiny', vcpus=1, memory_mb=512, root_gb=1)
HUGE = Flavor(flavorid='2', name='huge', vcpus=1, memory_mb=10**8)


class Hosts:
    """A scheduler and its hosts."""

    def __init__(self, folder: str, size: int) -> None:
        conf = options.register(cfg.ConfigOpts())
        conf([], project='compute', default_config_files=[], default_config_dirs=[])
        self.db = Database(f'sqlite:///{folder}/store.sqlite', conf.database)
        metadata.create_all(self.db.engine)
        self.names = [f'host-{number}' for number in range(size)]
        self.db.transaction(self._add)
        self.endpoint = SelectEndpoint(self.db, conf)
        self.endpoint.states.refresh()

    def decide(self, spec: RequestSpec) -> bool:
        """Decide without claiming; tell whether a host fits."""
        with self.endpoint.states.lock:
            return bool(decide(self.endpoint.states.all(), Request(spec), self.endpoint._rules,
                               self.endpoint._dice).ranked)

    def server(self) -> RequestSpec:
        """Add a server that waits for a host."""
        server = Instance(uuid=str(uuid.uuid4()), project_id='p', user_id='u', name='s', flavor=FLAVOR,
                          created_at=now(), updated_at=now())
        self.db.transaction(lambda connection: instances.insert(connection, server))
        return RequestSpec(instance_uuid=server.uuid, flavor=FLAVOR)

    def _add(self, connection: Any) -> None:
        for number, name in enumerate(self.names):
            size = 1 + number % 4
            service = services.beat(connection, name, 'nova-compute', 'worker', 'i', 'nova')
            hosts.upsert(
                connection, HostReport(host=name, incarnation='i', node_uuid=str(uuid.uuid4())),
                Inventory(node=name, vcpus=16 * size, memory_mb=65536 * size, disk_gb=1000 * size,
                          free_disk_gb=1000 * size), service.id)


def decision(folder: str, size: int) -> Callable[[], None]:
    """Filter and rank for a plain request."""
    known = Hosts(folder, size)
    spec = RequestSpec(instance_uuid='x', flavor=FLAVOR)
    return lambda: _want(known.decide(spec), True)


def apart(folder: str, size: int) -> Callable[[], None]:
    """Filter and rank when half of the hosts have a member of the anti-affinity group."""
    known = Hosts(folder, size)
    group = ServerGroup(uuid=str(uuid.uuid4()), policy='anti-affinity', member_hosts=tuple(known.names[:size // 2]))
    spec = RequestSpec(instance_uuid='x', flavor=FLAVOR, group=group)
    return lambda: _want(known.decide(spec), True)


def refused(folder: str, size: int) -> Callable[[], None]:
    """Decide that no host fits, with a reason for each."""
    known = Hosts(folder, size)
    spec = RequestSpec(instance_uuid='x', flavor=HUGE)
    return lambda: _want(known.decide(spec), False)


def look(folder: str, size: int) -> Callable[[], None]:
    """Look at the store after one host changed and one in a hundred said that it lives."""
    known = Hosts(folder, size)
    beating = known.names[:max(1, size // 100)]
    heard = table.update().where(table.c.host.in_(beating))

    def step() -> None:
        def change(connection: Any) -> None:
            hosts.bump_failed_builds(connection, known.names[0])
            connection.execute(heard.values(last_seen_at=now()))
        known.db.transaction(change)
        known.endpoint.states.refresh(force=True)
    return step


def select(folder: str, size: int) -> Callable[[], None]:
    """Serve the whole call: look if one is due, decide, claim. Adding the server is in it as well."""
    known = Hosts(folder, size)

    def step() -> None:
        known.endpoint.select(None, spec=known.server())
    return step


def _want(found: bool, wanted: bool) -> None:
    if found is not wanted:
        raise RuntimeError(f'a host fits: {found}, expected {wanted}')


SCENARIOS = {'decision': decision, 'apart': apart, 'refused': refused, 'look': look, 'select': select}
