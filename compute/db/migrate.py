"""Brings a store to the newest schema with alembic. Each store has a folder of versions beside its tables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

from compute.db.session import Database


def upgrade(database: Database, versions: str, table: str) -> list[str]:
    """Apply the revisions that are missing, in order, and return their names.

    :param versions: package of the revisions (``compute.db.versions``).
    :param table: where the store's revision is kept; stores that share a database each have their own.
    """
    script = _script(versions)
    applied = []
    for revision in reversed(list(script.iterate_revisions('heads', 'base'))):
        if _apply(database, table, revision):
            applied.append(revision.revision)
    return applied


def pending(database: Database, versions: str, table: str) -> list[str]:
    """Return the names of the revisions that are not applied yet."""
    done = _current(database, table)
    names = [revision.revision for revision in _script(versions).iterate_revisions('heads', 'base')][::-1]
    return names[names.index(done) + 1:] if done in names else names


def _script(versions: str) -> ScriptDirectory:
    from importlib import resources
    folder = str(resources.files(versions.rpartition('.')[0]))
    return ScriptDirectory(folder, version_locations=[str(resources.files(versions))])


def _current(database: Database, table: str) -> str | None:
    def find(connection: sa.Connection) -> str | None:
        return MigrationContext.configure(connection, opts={'version_table': table}).get_current_revision()
    return database.read(find)


def _apply(database: Database, table: str, revision: Any) -> bool:
    """Apply one revision unless it is there. The check is inside the transaction: several daemons may start at once."""
    def apply(connection: sa.Connection) -> bool:
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
    return database.transaction(apply)



