"""One conductor on SQLite with hosts, a real scheduler behind a bus that only records, and neighbours in memory."""

from __future__ import annotations

import datetime
import uuid
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa
from oslo_config import cfg

from compute import conf as options
from compute import context as ctx
from compute import states
from compute.clients.fake.network import FakeNetworks
from compute.clients.recent import Recent
from compute.conductor.conductor import Conductor
from compute.conductor.reaper import Reaper
from compute.conductor.reports import ReportsEndpoint
from compute.control.instances import create, delete
from compute.control.instances.request import CreateRequest
from compute.db import claims, claims_audit, flavors, instances, migrate, operations, quotas
from compute.db.session import Database
from compute.db.tables import hosts as hosts_table
from compute.db.tables import instances as instances_table
from compute.db.tables import operations as operations_table
from compute.db.tables import services as services_table
from compute.objects.flavor import Flavor
from compute.objects.host import Inventory
from compute.objects.image import Image
from compute.objects.instance import Instance
from compute.objects.nic import NicRequest
from compute.objects.operation import InstanceUpdate, Operation, OperationError, Work
from compute.objects.registration import HostReport
from compute.scheduler.select import SelectEndpoint
from tests.rpc_recorder import RecordedRpc

USER = ctx.RequestContext(user_id='ann', project_id='p1', roles=['member'], overwrite=False)
LONG_AGO = datetime.datetime(2020, 1, 1)


class AtOnce(Conductor):
    """A conductor that works in the caller's thread."""

    def _run(self, pool: Any, function: Any, *args: Any) -> None:
        function(*args)


class Controller:
    """What a test says and sees. ``hears`` tells whether the conductor would hear hosts that say something."""

    hears = True

    def __init__(self, path: str) -> None:
        self.conf = options.register(cfg.ConfigOpts())
        self.conf([], project='compute', default_config_files=[], default_config_dirs=[])
        self.conf.set_override('connection', f'sqlite:///{path}', 'database')
        self.db = Database(self.conf.database.connection, self.conf.database)
        migrate.upgrade(self.db, 'compute.db.versions', 'compute_version')
        self.rpc, self.networks = RecordedRpc(), FakeNetworks()
        self.cloud = SimpleNamespace(conf=self.conf, db=self.db, rpc=self.rpc, host='c1', networks=self.networks,
                                     images=self, identity=None, recent=Recent(0))
        self.conductor = AtOnce(self.cloud)  # type: ignore[arg-type]
        self.conductor.hearing.can_judge = lambda: self.hears  # type: ignore[method-assign]
        self.reports, self.reaper = ReportsEndpoint(self.conductor), Reaper(self.conductor)
        self.rpc.answers['select'] = lambda spec: SelectEndpoint(self.db, self.conf).select(USER, spec=spec)
        self.rpc.answers['select_many'] = lambda specs: SelectEndpoint(self.db, self.conf).select_many(
            USER, specs=specs)
        self.network = self.networks.add_network(project_id='p1')
        flavor = Flavor(flavorid='1', name='f', vcpus=1, memory_mb=1024, root_gb=1)
        self.db.transaction(lambda connection: flavors.insert(connection, flavor))
        self.incarnations: dict[str, str] = {}

    def get(self, context: Any, image_id: str) -> Image:
        """Stand for the image service: there is every image."""
        return Image(id=image_id, name='i', disk_format='raw', size=1)

    def add_host(self, name: str, memory_mb: int = 8192) -> None:
        """Let a worker start."""
        self.incarnations[name] = str(uuid.uuid4())
        self.register(name, memory_mb)

    def register(self, name: str, memory_mb: int = 8192) -> Any:
        """Let the worker of a host register in its incarnation."""
        node = str(uuid.uuid5(uuid.NAMESPACE_DNS, name))
        return self.reports.register(USER, report=HostReport(
            host=name, incarnation=self.incarnations[name], node_uuid=node, reserved_memory_mb=0),
            inventory=Inventory(node=name, vcpus=8, memory_mb=memory_mb, disk_gb=100, free_disk_gb=100))

    def down(self, name: str) -> None:
        """Let a host's heartbeats be long ago."""
        self.db.transaction(lambda connection: connection.execute(
            services_table.update().where(services_table.c.host == name).values(last_seen_at=LONG_AGO)))

    def create(self, **changes: Any) -> Operation:
        """Ask for a server; its cast is recorded and nothing more happens."""
        request = CreateRequest(**{'name': 'vm', 'image_id': str(uuid.uuid4()), 'flavor_id': '1', 'admin_pass': 'x',
                                   'networks': (NicRequest(network_id=self.network),), **changes})
        made = create.create(self.cloud, USER, request)  # type: ignore[arg-type]
        return self.newest(made.uuids[0])

    def delete(self, key: str) -> Operation:
        """Ask to delete a server."""
        return delete.delete(self.cloud, USER, self.instance(key))  # type: ignore[arg-type]

    def operation(self, number: int) -> Operation:
        """Return an operation as it is now."""
        return self.db.read(lambda connection: operations.get(connection, number))

    def newest(self, key: str) -> Operation:
        """Return what was asked for last."""
        return self.db.read(lambda connection: operations.of_instance(connection, key))[0]

    def instance(self, key: str) -> Instance:
        """Return a server as it is now, deleted or not."""
        found = self.db.read(lambda connection: instances.find(connection, key, deleted=True))
        assert found is not None
        return found

    def overdue(self, number: int, **values: Any) -> None:
        """Let the time of an operation's lease, or another, have run out."""
        self.db.transaction(lambda connection: connection.execute(operations_table.update().where(
            operations_table.c.id == number).values(**(values or {'lease_until': LONG_AGO}))))

    def who(self, host: str) -> dict[str, str]:
        """Return how a host's worker names itself."""
        return {'host': host, 'incarnation': self.incarnations[host]}

    def begin(self, number: int, host: str) -> Work:
        """Let a host begin an operation."""
        return self.reports.begin(USER, operation_id=number, **self.who(host))

    def finish(self, number: int, host: str, update: InstanceUpdate | None = None) -> None:
        """Let a host end an operation well."""
        self.reports.finish(USER, operation_id=number, leg=self.operation(number).leg, update=update or InstanceUpdate(
            vm_state='active', power_state=1, launched=True, clear_fault=True), **self.who(host))

    def fail(self, number: int, host: str, *, retryable: bool = True) -> None:
        """Let a host end its part badly."""
        error = OperationError(code='disk_full', message='The disk is full', retryable=retryable, stage='spawning')
        self.reports.fail(USER, operation_id=number, error=error, **self.who(host))

    def claimed(self, key: str) -> list[str]:
        """Return the hosts on which a server has a claim."""
        ids = self.db.read(lambda connection: claims.of_instance(connection, key))
        return [row.host for row in self.db.rows(sa.select(hosts_table).where(hosts_table.c.id.in_(ids)))]

    def builds(self) -> list[str | None]:
        """Return the hosts that were told to build, in order."""
        return [sent.server for sent in self.rpc.begun('create') if sent.server]

    def check(self) -> None:
        """Assert what always holds: claims are use, quota is servers, and nobody is nobody's."""
        assert self.db.read(claims_audit.audit) == [] == self.db.read(claims_audit.missing)
        living = self.db.rows(sa.select(instances_table).where(instances_table.c.deleted == sa.false()))
        used = self.db.read(lambda connection: quotas.usage_of(connection, 'p1'))
        assert (used['instances'], used['cores'], used['ram']) == (
            len(living), sum(row.cores_charged for row in living), sum(row.ram_charged for row in living))
        assert self.db.read(quotas.uneven) == []
        for row in living:
            moves = row.vm_state == states.RESIZED or row.task_state is not None
            assert moves or (row.cores_charged, row.ram_charged) == (row.vcpus, row.memory_mb)
        for row in living:
            going_on = self.db.read(lambda connection, key=row.uuid: operations.open_of_instance(connection, key))
            assert bool(row.task_state) is bool(going_on), (row.vm_state, row.task_state, going_on)
