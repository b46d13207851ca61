"""A store with the project's tables on any database, and the rows that scheduling needs."""

from __future__ import annotations

import types
import uuid
from typing import Any

from sqlalchemy.engine import Connection

from compute.db import hosts, instances, services
from compute.db.session import Database
from compute.db.tables import metadata
from compute.objects.flavor import Flavor
from compute.objects.host import Inventory
from compute.objects.instance import Instance
from compute.objects.registration import HostReport
from compute.objects.request_spec import RequestSpec, ServerGroup
from compute.objects.value import now

OPTIONS = types.SimpleNamespace(max_retries=20, max_pool_size=20, max_overflow=20, pool_timeout=30, query_timeout=60,
                                idle_transaction_timeout=10, lock_timeout=30, retry_time=60.0)


def open_store(url: str) -> Database:
    """Return an empty store at a URL with today's tables; what was in it is dropped."""
    database = Database(url, OPTIONS)
    metadata.drop_all(database.engine)
    metadata.create_all(database.engine)
    return database


def empty(database: Database) -> None:
    """Remove all rows: on a server that is much faster than tables made anew."""
    def clear(connection: Connection) -> None:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    database.transaction(clear)


def flavor(vcpus: int = 1, memory_mb: int = 512, disk_gb: int = 1, **more: Any) -> Flavor:
    return Flavor(flavorid='1', name='tiny', vcpus=vcpus, memory_mb=memory_mb, root_gb=disk_gb, **more)


def report(name: str, node_uuid: str | None = None, **more: Any) -> HostReport:
    values = {'reserved_memory_mb': 0, 'cpu_allocation_ratio': 1.0, **more}
    return HostReport(host=name, incarnation='i', node_uuid=node_uuid or str(uuid.uuid4()), **values)


def inventory(name: str, vcpus: int = 4, memory_mb: int = 4096, disk_gb: int = 100, **more: Any) -> Inventory:
    values = {'free_disk_gb': disk_gb, **more}
    return Inventory(node=name, vcpus=vcpus, memory_mb=memory_mb, disk_gb=disk_gb, **values)


def add_host(database: Database, name: str, *, told: dict[str, Any] | None = None, **measured: Any) -> int:
    """Register a host that is up; return its id."""
    def add(connection: Connection) -> int:
        service = services.beat(connection, name, 'nova-compute', 'worker', 'i', 'nova')
        return hosts.upsert(connection, report(name, **(told or {})), inventory(name, **measured), service.id)
    return database.transaction(add)


def add_server(database: Database, flavor_: Flavor | None = None, group: ServerGroup | None = None,
               **more: Any) -> RequestSpec:
    """Add a server that has no host; return what the scheduler would be asked for it."""
    server = Instance(uuid=str(uuid.uuid4()), project_id='p', user_id='u', name='s', flavor=flavor_ or flavor(),
                      created_at=now(), updated_at=now(), server_group=group.uuid if group else None)
    database.transaction(lambda connection: instances.insert(connection, server))
    return RequestSpec(instance_uuid=server.uuid, project_id='p', flavor=server.flavor, group=group, **more)
