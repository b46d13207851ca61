"""Data that a new version wants in another shape, changed in small transactions while everything runs.

Revisions of the schema (``compute/db/versions/``) only add, and are done before a daemon serves. What has to be done to
the rows that are there comes here, one file each: conductors do it in the background
(``conductor/data_migrations.py``), ``compute-manage db migrate-data`` at once. Code that relies on it waits for the
release after, and a column that nobody needs any more goes in that one, too: ``compute-status upgrade check`` says
whether all is done.
"""

from __future__ import annotations

from compute.db.data_migrations.data_migration import DataMigration
from compute.db.data_migrations.forget_idempotency_keys import FORGET_IDEMPOTENCY_KEYS

DATA_MIGRATIONS: tuple[DataMigration, ...] = (FORGET_IDEMPOTENCY_KEYS,)

__all__ = ['DATA_MIGRATIONS', 'DataMigration']
