"""The conductor daemon: its endpoints and its periodic tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy.engine import Connection

from compute import context as ctx
from compute import metrics
from compute.concurrency import Periodic
from compute.conductor.audit.task import AuditTask
from compute.conductor.conductor import Conductor
from compute.conductor.data_migrations import DataMigrations
from compute.conductor.janitor import Janitor
from compute.conductor.ledger import ledger_probe, samples
from compute.conductor.network_refresh import NetworkInfoEndpoint, NetworkRefresh
from compute.conductor.operations import OperationsEndpoint
from compute.conductor.reaper import Reaper
from compute.conductor.reports import ReportsEndpoint
from compute.conductor.unconfirmed import Unconfirmed
from compute.control.cloud import Cloud
from compute.db import exporter, operations, services
from compute.health import Health
from compute.rpc.conductor import Reports
from compute.rpc.interface import Interface
from compute.rpc.probe import broker


class ConductorDaemon:
    """Any number of them share one queue."""

    name = None
    topic = 'conductor'

    def __init__(self, conf: Any, rpc: Any, cloud: Cloud | None = None) -> None:
        self._cloud = cloud or Cloud(conf, rpc)
        self._conductor = Conductor(self._cloud)
        options = conf.conductor
        self._sources: list[Callable[[], None]] = []
        self.reaper = Reaper(self._conductor)
        self._heart = Periodic(self._beat, options.heartbeat_interval, name='conductor-heartbeat')
        self.watch = Health([self._cloud.db.probe(), broker(rpc, self.topic, conf.host),
                             ledger_probe(self._cloud.db, conf)], conf.health.interval)
        self._periodics = [
            Periodic(self._listen, options.heartbeat_interval, name='hearing'),
            Periodic(self.reaper.sweep, options.reaper_interval, name='reaper', immediately=False),
            Periodic(Janitor(self._conductor).run, options.janitor_interval, name='janitor', immediately=False),
            Periodic(DataMigrations(self._conductor).run, options.data_migration_interval, name='data-migrations',
                     immediately=False),
        ]
        if options.resize_confirm_window:
            self._periodics.append(Periodic(Unconfirmed(self._conductor).run, options.resize_confirm_interval,
                                            name='unconfirmed', immediately=False))
        self._network_refresh = NetworkRefresh(self._conductor)
        self._periodics.append(Periodic(self._network_refresh.run, 1.0, name='network-refresh'))
        if options.network_refresh_interval:
            self._periodics.append(Periodic(self._network_refresh.sweep, options.network_refresh_interval,
                                            name='network-sweep', immediately=False))
        if options.audit_interval:
            self._periodics.append(Periodic(AuditTask(self._conductor).run, options.audit_interval, name='auditor',
                                            immediately=False))

    def prepare(self) -> None:
        """Bring the store to the newest schema."""
        self._cloud.migrate()

    def endpoints(self) -> list[Interface]:
        """Return what is served on the topic."""
        return [OperationsEndpoint(self._conductor), ReportsEndpoint(self._conductor),
                NetworkInfoEndpoint(self._network_refresh)]

    def start(self) -> None:
        """Begin to report, to sweep and to clean."""
        self.watch.start()
        db, conf = self._cloud.db, self._cloud.conf
        self._sources = [metrics.source('ledger', lambda: samples(db, conf), slow=True),
                         metrics.source('nova', lambda: exporter.nova(db, conf), slow=True, fresh=15.0),
                         metrics.source('placement', lambda: exporter.placement(db), slow=True, fresh=15.0)]
        for periodic in (self._heart, *self._periodics):
            periodic.start()

    def finish(self, until: float) -> None:
        """Let others sweep, end what runs, hand the rest back. The heartbeat goes on, so that leases do."""
        for periodic in self._periodics:
            periodic.stop()
        try:
            self.reaper.stop()
        finally:
            self._conductor.finish(until)

    def stop(self) -> None:
        """Stop reporting and take no more work."""
        self.watch.stop()
        for remove in self._sources:
            remove()
        for periodic in (self._heart, *self._periodics):
            periodic.stop()
        self._conductor.stop()
        self._cloud.close()

    def health(self) -> list[str]:
        """Return what keeps it from working."""
        return self.watch.public_problems()

    def _listen(self) -> None:
        """See whether what a host says would arrive: through the broker, at a conductor, in the store."""
        self._cloud.db.ping()
        peer: Any = self._cloud.rpc.client(Reports)
        peer.peer_version(ctx.internal())
        self._conductor.hearing.note()

    def _beat(self) -> None:
        """Say that this conductor lives, and renew what it works on: a lease runs out when its owner is gone."""
        conductor = self._conductor

        def write(connection: Connection) -> None:
            services.beat(connection, conductor.host, 'nova-conductor', 'conductor', conductor.incarnation,
                          health=self.watch.report().to_wire())
            operations.renew(connection, conductor.working(), conductor.owner, conductor.incarnation,
                             conductor.conf.conductor.lease)
        conductor.db.transaction(write)
