"""The scheduler's daemon: no HTTP, one endpoint, its own heartbeat. Any number of them share one queue."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from oslo_config import cfg

from compute import metrics
from compute.concurrency import Periodic
from compute.db import migrate, services
from compute.db.session import Database
from compute.health import Health
from compute.rpc.interface import Interface
from compute.rpc.probe import broker
from compute.rpc.transport import Rpc
from compute.scheduler.select import SelectEndpoint


class SchedulerDaemon:
    """Chooses hosts. ``database`` is for tests; a daemon opens the configured one."""

    name = None
    topic = 'scheduler'

    def __init__(self, conf: cfg.ConfigOpts, rpc: Rpc | None, database: Database | None = None) -> None:
        self._conf = conf
        self._db = database or Database(conf.database.connection, conf.database)
        self._incarnation = str(uuid.uuid4())
        self._select = SelectEndpoint(self._db, conf)
        probes = [self._db.probe(), *([broker(rpc, self.topic, conf.host)] if rpc is not None else [])]
        self.watch = Health(probes, conf.health.interval)
        self._unwatch: Callable[[], Any] = bool
        self._periodics = [
            Periodic(self._beat, conf.scheduler.heartbeat_interval, name='scheduler-heartbeat'),
            Periodic(self._select.states.reload, conf.scheduler.reload_interval, name='scheduler-reload'),
        ]

    def prepare(self) -> None:
        """Bring the store to the newest schema."""
        migrate.upgrade(self._db, 'compute.db.versions', 'compute_version')

    def endpoints(self) -> list[Interface]:
        """Return what is served on the topic."""
        return [self._select]

    def start(self) -> None:
        """Begin to report and to keep the hosts in memory."""
        self.watch.start()
        self._unwatch = metrics.source('scheduler', self._samples)
        for periodic in self._periodics:
            periodic.start()

    def stop(self) -> None:
        """Stop both and close the store."""
        self.watch.stop()
        self._unwatch()
        for periodic in self._periodics:
            periodic.stop()
        for periodic in self._periodics:
            periodic.join(5)
        self._db.dispose()

    def health(self) -> list[str]:
        """Return what does not work now."""
        return self.watch.public_problems()

    def _beat(self) -> None:
        self._select.clock.look()
        self._db.transaction(lambda connection: services.beat(
            connection, self._conf.host, 'nova-scheduler', 'scheduler', self._incarnation,
            health=self.watch.report().to_wire()))

    def _samples(self) -> list[metrics.Sample]:
        return [('compute_scheduler_hosts', self._select.states.count(), ())]
