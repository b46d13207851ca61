"""What the controller's own daemons work with: their store, the bus, and the neighbours."""

from __future__ import annotations

from typing import Any

from oslo_config import cfg

from compute.clients.probe import neighbour
from compute.db import migrate
from compute.db.session import Database
from compute.health import Probe
from compute.rpc.probe import broker
from compute.rpc.transport import Rpc


class Cloud:
    """``images``, ``networks`` and ``identity`` are clients of the neighbours (Protocols of ``compute.clients``);
    ``group_names`` tells names of security groups, ``recent`` what neighbours answered a moment ago."""

    def __init__(self, conf: cfg.ConfigOpts, rpc: Rpc, *, images: Any = None, networks: Any = None,
                 identity: Any = None) -> None:
        from compute.clients.group_names import GroupNames
        from compute.clients.identity import RestIdentity
        from compute.clients.image import RestImages
        from compute.clients.network import RestNetworks
        from compute.clients.recent import Recent
        self.conf, self.rpc, self.host = conf, rpc, conf.host
        self.db = Database(conf.database.connection, conf.database)
        self.images = images or RestImages(conf)
        self.networks = networks or RestNetworks(conf)
        self.identity = identity or RestIdentity(conf)
        self.group_names = GroupNames(self.networks)
        self.recent = Recent(conf.api.neighbour_memory)

    def migrate(self) -> list[str]:
        """Bring the store to the newest schema and return the revisions applied."""
        return migrate.upgrade(self.db, 'compute.db.versions', 'compute_version')

    def probes(self) -> list[Probe]:
        """Return what watches all that requests need: the store, a conductor behind the broker, the neighbours."""
        return [self.db.probe(), broker(self.rpc, 'conductor', name='conductor'),
                *(neighbour(self.conf, name) for name in ('identity', 'image', 'network'))]

    def close(self) -> None:
        """Close the store's connections."""
        self.db.dispose()
