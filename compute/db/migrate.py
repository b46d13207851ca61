"""Brings a store to the newest schema with alembic. Each store has a folder of versions beside its tables."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

from compute import exception
from compute.db.session import Database

_LOCK_TIMEOUT = 300


def upgrade(database: Database, versions: str, table: str) -> list[str]:
    """Apply the revisions that are missing, in order, and return their names.

    :param versions: package of the revisions (``compute.db.versions``).
    :param table: where the store's revision is kept; stores that share a database each have their own.
    """
    if not pending(database, versions, table):
        return []
    script = _script(versions)
    applied = []
    with _alone(database, table):
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


@contextmanager
def _alone(database: Database, table: str) -> Iterator[None]:
    """Keep other daemons out: several may start at once. SQLite's write lock does that by itself.

    MariaDB commits at each DDL statement and PostgreSQL shows others a table when it is too late for them, so that no
    transaction can do it. The lock is a connection's: it goes with its owner.

    :raises Unavailable: another one migrates and does not come to an end.
    """
    if database.kind == 'sqlite':
        yield
        return
    with database.engine.connect() as holder:
        if database.kind == 'postgresql':
            key = sa.literal(zlib.crc32(table.encode()))
            take, give = sa.func.pg_advisory_lock(key), sa.func.pg_advisory_unlock(key)
        else:  # its named locks are the server's: several installations may share one
            name = sa.func.concat(sa.func.sha1(sa.func.database()), f'.{table}'[:20])
            take, give = sa.func.get_lock(name, _LOCK_TIMEOUT), sa.func.release_lock(name)
        if holder.execute(sa.select(take)).scalar() in (0, None) and database.kind != 'postgresql':
            raise exception.Unavailable(f'Another daemon has been bringing {table} up to date for {_LOCK_TIMEOUT} s',
                                        code='migration_locked')
        try:
            yield
        finally:
            holder.execute(sa.select(give))


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
