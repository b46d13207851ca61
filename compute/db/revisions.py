"""Applies revisions with alembic: imported only when there is one to apply."""

from __future__ import annotations

from importlib import resources
from typing import Any

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

from compute.db.session import Database


def script(versions: str) -> ScriptDirectory:
    """Return alembic's view of a package of revisions."""
    folder = str(resources.files(versions.rpartition('.')[0]))
    return ScriptDirectory(folder, version_locations=[str(resources.files(versions))])


def apply(database: Database, versions: str, table: str) -> list[str]:
    """Apply the revisions that are missing, in order, and return their names. Nobody else may do it meanwhile."""
    revisions = reversed(list(script(versions).iterate_revisions('heads', 'base')))
    return [revision.revision for revision in revisions if _apply(database, table, revision)]


def _apply(database: Database, table: str, revision: Any) -> bool:
    """Apply one revision unless it is there."""
    return database.transaction(lambda connection: _apply_in(connection, table, revision))


def _apply_in(connection: sa.Connection, table: str, revision: Any) -> bool:
    migration = MigrationContext.configure(connection, opts={'version_table': table})
    migration._ensure_version_table()
    current = migration.get_current_revision()
    if current is not None and current >= revision.revision:
        return False
    with Operations.context(migration):
        revision.module.upgrade()
    version = sa.table(table, sa.column('version_num'))
    if current is None:
        connection.execute(version.insert().values(version_num=revision.revision))
    else:
        connection.execute(version.update().values(version_num=revision.revision))
    return True
