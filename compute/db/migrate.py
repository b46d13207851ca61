"""Brings a store to the newest schema. Each store has a folder of versions beside its tables.

Whether something is to be done is told without alembic, from the names of the files and the store's own record: alembic
and what it brings take 11 MiB of every process, which most starts have no use for.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from typing import Any

import sqlalchemy as sa

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
    from compute.db import revisions
    with database.unhurried() as store, _alone(store, table):
        return revisions.apply(store, versions, table)


def pending(database: Database, versions: str, table: str) -> list[str]:
    """Return the names of the revisions that are not applied yet."""
    done = _current(database, table)
    names = _names(versions)
    return names[names.index(done) + 1:] if done in names else names


def _names(versions: str) -> list[str]:
    """Return all revisions, oldest first: ``0002_idempotency.py`` is 0002."""
    found = (file.name for file in resources.files(versions).iterdir())
    return sorted(name.partition('_')[0] for name in found if name.endswith('.py') and not name.startswith('_'))


def _current(database: Database, table: str) -> str | None:
    def find(connection: sa.Connection) -> str | None:
        if not sa.inspect(connection).has_table(table):
            return None
        return connection.execute(sa.select(sa.column('version_num')).select_from(sa.table(table))).scalar()
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
    # In no transaction: one that is idle for as long as others work would be ended, and the lock with it.
    with database.engine.connect().execution_options(isolation_level='AUTOCOMMIT') as holder:
        if database.kind == 'postgresql':
            key = sa.literal(zlib.crc32(table.encode()))
            take, give = sa.func.pg_advisory_lock(key), sa.func.pg_advisory_unlock(key)
        else:  # its named locks are the server's: several installations may share one
            name = sa.func.concat(sa.func.sha1(sa.func.database()), f'.{table}'[:20])
            take, give = sa.func.get_lock(name, _LOCK_TIMEOUT), sa.func.release_lock(name)
        if not _taken(holder, take, database.kind):
            raise exception.Unavailable(f'Another daemon has been bringing {table} up to date for {_LOCK_TIMEOUT} s',
                                        code='migration_locked')
        try:
            yield
        finally:
            holder.execute(sa.select(give))


def _taken(holder: sa.Connection, take: Any, kind: str) -> bool:
    """Wait for a lock, ``_LOCK_TIMEOUT`` at most, and tell whether it is ours."""
    if kind != 'postgresql':
        return holder.execute(sa.select(take)).scalar() == 1
    holder.exec_driver_sql(f"SET lock_timeout = '{_LOCK_TIMEOUT}s'")
    try:
        holder.execute(sa.select(take))
    except sa.exc.DBAPIError as error:
        if 'lock timeout' not in str(error.orig):
            raise
        return False
    return True
