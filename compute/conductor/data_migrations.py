"""Changes data to what this version wants, in the background and in small steps. One conductor at a time does this.

It looks at everything once after its start and then only at what was not over: a look reads whole tables.
"""

from __future__ import annotations

import logging

from compute.conductor.conductor import Conductor
from compute.db import services
from compute.db.data_migrations import DATA_MIGRATIONS, DataMigration

LOG = logging.getLogger(__name__)


class DataMigrations:
    """The work that is left in the store of this conductor."""

    def __init__(self, conductor: Conductor, migrations: tuple[DataMigration, ...] = DATA_MIGRATIONS) -> None:
        self._conductor = conductor
        self._open = list(migrations)

    def run(self) -> int:
        """Make one step of the first that is not over, if this conductor may; return how many rows were changed."""
        conductor, options = self._conductor, self._conductor.conf.conductor
        if not self._open:
            return 0
        owner = f'{conductor.owner}#{conductor.incarnation}'
        if not conductor.db.transaction(lambda connection: services.take_lease(
                connection, 'data-migrations', owner, options.data_migration_interval * 3)):
            return 0
        migration = self._open[0]
        changed = conductor.db.transaction(lambda connection: migration.step(connection, options.data_migration_batch))
        if changed:
            LOG.info('data migration %s: %d rows changed', migration.name, changed)
        if changed < options.data_migration_batch:
            LOG.info('data migration %s is over here', migration.name)
            self._open.remove(migration)
        return changed
