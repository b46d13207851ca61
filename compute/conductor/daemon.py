"""The conductor daemon: its endpoints and its periodic tasks."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Connection

from compute import context as ctx
from compute.concurrency import Periodic
from compute.conductor.conductor import Conductor
from compute.conductor.create import BuildEndpoint
from compute.conductor.delete import DeleteEndpoint
from compute.conductor.janitor import Janitor
from compute.conductor.reaper import Reaper
from compute.conductor.reports import ReportsEndpoint
from compute.control.cloud import Cloud
from compute.db import operations, services
from compute.rpc.conductor import Reports
from compute.rpc.interface import Interface


class ConductorDaemon:
    """Any number of them share one queue."""

    name = None
    topic = 'conductor'

    def __init__(self, conf: Any, rpc: Any, cloud: Cloud | None = None) -> None:
        self._cloud = cloud or Cloud(conf, rpc)
        self._conductor = Conductor(self._cloud)
        options = conf.conductor
        self.reaper = Reaper(self._conductor)
        self._periodics = [
            Periodic(self._beat, options.heartbeat_interval, name='conductor-heartbeat'),
            Periodic(self._listen, options.heartbeat_interval, name='hearing'),
            Periodic(self.reaper.sweep, options.reaper_interval, name='reaper', immediately=False),
            Periodic(Janitor(self._conductor).run, options.janitor_interval, name='janitor', immediately=False),
        ]

    def prepare(self) -> None:
        """Bring the store to the newest schema."""
        self._cloud.migrate()

    def endpoints(self) -> list[Interface]:
        """Return what is served on the topic."""
        return [BuildEndpoint(self._conductor), DeleteEndpoint(self._conductor), ReportsEndpoint(self._conductor)]

    def start(self) -> None:
        """Begin to report, to sweep and to clean."""
        for periodic in self._periodics:
            periodic.start()

    def stop(self) -> None:
        """Stop the periodic tasks and take no more work."""
        for periodic in self._periodics:
            periodic.stop()
        self._conductor.stop()
        self._cloud.close()

    def health(self) -> list[str]:
        """Return what does not work."""
        return []

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
            services.beat(connection, conductor.host, 'nova-conductor', 'conductor', conductor.incarnation)
            operations.renew(connection, conductor.working(), conductor.owner, conductor.incarnation,
                             conductor.conf.conductor.lease)
        conductor.db.transaction(write)
