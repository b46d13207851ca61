"""The databases: each answers, may be written to, is new enough, and has the schema of this version."""

from __future__ import annotations

import re
from collections.abc import Iterator

import sqlalchemy as sa
from oslo_config import cfg
from sqlalchemy.engine import Connection

from compute.cmd.doctor.diagnosis import Diagnosis, failure, fine, warning
from compute.cmd.doctor.machine import Machine
from compute.cmd.stores import ERRORS, STORES, Store
from compute.db.session import Database
from compute.exception import Invalid

OLDEST = {'sqlite': (3, 35), 'mysql': (10, 5), 'postgresql': (13, 0)}
NAMES = {'sqlite': 'SQLite', 'mysql': 'MariaDB', 'postgresql': 'PostgreSQL'}
_VERSION = {'sqlite': 'SELECT sqlite_version()', 'mysql': 'SELECT VERSION()', 'postgresql': 'SHOW server_version'}
_READ_ONLY = {'mysql': 'SELECT @@global.read_only', 'postgresql': 'SELECT pg_is_in_recovery()'}


def look(machine: Machine, conf: cfg.ConfigOpts) -> Iterator[Diagnosis]:
    """Ask each store that is configured. A host has none, as it should be."""
    configured = 0
    for store in STORES:
        try:
            database = store.open(conf)
        except Invalid:
            continue
        configured += 1
        try:
            yield from _diagnose(store, database)
        except ERRORS:
            yield failure(f'the database of {store.name} ([database] {store.option}) does not answer',
                          'start it; see address, user, password and grants')
        finally:
            database.dispose()
    if not configured:
        yield fine('no database is configured, as on a host that only runs guests')


def _diagnose(store: Store, database: Database) -> Iterator[Diagnosis]:
    version, read_only = database.read(lambda connection: _seen(connection, database.kind))
    number = tuple(int(part) for part in re.findall(r'\d+', version)[:2])
    oldest, name = OLDEST[database.kind], NAMES[database.kind]
    shown = f'{store.name}: {name} {version}'
    if number < oldest:
        yield failure(f'{shown} is older than {oldest[0]}.{oldest[1]}', 'install a newer one')
    if read_only:
        yield failure(f'{shown} is read-only', 'name the primary in the address, or SET GLOBAL read_only = 0 there')
    if pending := store.pending(database):
        yield warning(f'{shown} lacks {len(pending)} changes of the schema', 'compute-manage db sync')
    elif number >= oldest and not read_only:
        yield fine(f'{shown} answers and has the newest schema')


def _seen(connection: Connection, kind: str) -> tuple[str, bool]:
    version = str(connection.execute(sa.text(_VERSION[kind])).scalar_one())
    read_only = _READ_ONLY.get(kind)
    return version, bool(read_only and connection.execute(sa.text(read_only)).scalar_one())
