"""What the controller's own daemons work with: their store, the bus, and the neighbours."""

from __future__ import annotations

from typing import Any

from oslo_config import cfg

from compute.db import migrate
from compute.db.session import Database
from compute.rpc.transport import Rpc


class Cloud:
    """``images``, ``networks`` and ``identity`` are clients of the neighbours (Protocols of ``compute.clients``);
    ``group_names`` tells names of security groups."""

    def __init__(self, conf: cfg.ConfigOpts, rpc: Rpc, *, images: Any = None, networks: Any = None,
                 identity: Any = None) -> None:
        from compute.clients.group_names import GroupNames
        from compute.clients.identity import RestIdentity
        from compute.clients.image import RestImages
        from compute.clients.network import RestNetworks
        self.conf, self.rpc, self.host = conf, rpc, conf.host
        self.db = Database(conf.database.connection, conf.database)
        self.images = images or RestImages(conf)
        self.networks = networks or RestNetworks(conf)
        self.identity = identity or RestIdentity(conf)
        self.group_names = GroupNames(self.networks)

    def migrate(self) -> list[str]:
        """Bring the store to the newest schema and return the revisions applied."""
        return migrate.upgrade(self.db, 'compute.db.versions', 'compute_version')

    def close(self) -> None:
        """Close the store's connections."""
        self.db.dispose()
