"""The stores of the control plane by name: where their address is configured and where their schema is described."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from compute.cmd.configuration import demand
from compute.db import migrate
from compute.db.session import Database
from compute.exception import ComputeError

ERRORS = (ComputeError, SQLAlchemyError)
"""What a store raises that does not answer."""


@dataclass(frozen=True)
class Store:
    """One store: an option of ``[database]``, the package of its revisions, the table that names the last one."""

    name: str
    option: str
    versions: str
    table: str

    def open(self, conf: Any) -> Database:
        """Return the store at its configured address. The caller disposes of it. :raises Invalid: none is set."""
        demand(conf, 'database', self.option)
        return Database(getattr(conf.database, self.option), conf.database)

    def upgrade(self, database: Database) -> list[str]:
        """Apply the revisions that are missing and return their names."""
        return migrate.upgrade(database, self.versions, self.table)

    def pending(self, database: Database) -> list[str]:
        """Return the names of the revisions that are missing."""
        return migrate.pending(database, self.versions, self.table)


STORES = (
    Store('compute', 'connection', 'compute.db.versions', 'compute_version'),
    Store('identity', 'identity_connection', 'compute.builtin.identity.db.versions', 'identity_version'),
    Store('image', 'image_connection', 'compute.builtin.image.db.versions', 'image_version'),
    Store('network', 'network_connection', 'compute.builtin.network.db.versions', 'network_version'),
)

NAMES = tuple(store.name for store in STORES)


def named(name: str | None) -> tuple[Store, ...]:
    """Return the store of a name, or all."""
    return tuple(store for store in STORES if name in (None, store.name))


def reason(error: Exception) -> str:
    """Return why a store does not answer, without the statement."""
    return str(getattr(error, 'message', None) or getattr(error, 'orig', None) or error)
