"""The scheduler's daemon: no HTTP, one endpoint, its own heartbeat. Any number of them share one queue."""

from __future__ import annotations

import uuid

from oslo_config import cfg

from compute.concurrency import Periodic
from compute.db import migrate, services
from compute.db.session import Database
from compute.exception import ComputeError
from compute.rpc.interface import Interface
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
        for periodic in self._periodics:
            periodic.start()

    def stop(self) -> None:
        """Stop both and close the store."""
        for periodic in self._periodics:
            periodic.stop()
        for periodic in self._periodics:
            periodic.join(5)
        self._db.dispose()

    def health(self) -> list[str]:
        """Return what does not work now."""
        try:
            self._db.ping()
        except ComputeError as error:
            return [error.message]
        return []

    def _beat(self) -> None:
        self._db.transaction(lambda connection: services.beat(
            connection, self._conf.host, 'nova-scheduler', 'scheduler', self._incarnation))
