"""MariaDB and PostgreSQL that take no writes, are full or locked: 503 in bounded time, and all is well afterwards."""

from __future__ import annotations

import os
import types
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection

from compute.db.session import Database
from compute.db.tables import leases
from compute.exception import Unavailable
from compute.objects.value import now
from tests.contract.db.stores import OPTIONS, empty, open_store

READ_ONLY = {'mysql': 'SET SESSION TRANSACTION READ ONLY', 'postgresql': 'SET default_transaction_read_only = on'}
LOCK_TABLE = {'mysql': 'LOCK TABLES leases WRITE', 'postgresql': 'LOCK TABLE leases IN ACCESS EXCLUSIVE MODE'}


@pytest.fixture(params=['COMPUTE_TEST_MYSQL_URL', 'COMPUTE_TEST_PG_URL'])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    if not os.environ.get(request.param):
        pytest.skip(f'{request.param} is not set')
    url = os.environ[request.param]
    open_store(url).dispose()
    made = Database(url, types.SimpleNamespace(**{**vars(OPTIONS), 'lock_timeout': 1, 'retry_time': 0.0}))
    made.transaction(lambda connection: write(connection, 'a'))
    yield made
    made.dispose()
    other = Database(url, OPTIONS)
    empty(other)
    other.dispose()


def write(connection: Connection, name: str) -> None:
    connection.execute(leases.insert().values(name=name, owner='nobody', until=now()))


def code_of(act: object) -> str:
    with pytest.raises(Unavailable) as caught:
        act()  # type: ignore[operator]
    return caught.value.code


def test_an_old_primary_takes_no_writes(database: Database) -> None:
    def read_only(connection: object, record: object) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]
        cursor.execute(READ_ONLY[database.kind])
        connection.commit()  # type: ignore[attr-defined]
    event.listen(database.engine, 'connect', read_only)
    database.engine.dispose()
    assert code_of(lambda: database.transaction(lambda connection: write(connection, 'b'))) == 'database_read_only'
    assert len(database.rows(leases.select())) == 1, 'reads go on'
    event.remove(database.engine, 'connect', read_only)
    database.transaction(lambda connection: write(connection, 'b'))  # the connections that took no writes are gone


def test_a_row_is_locked(database: Database) -> None:
    change = leases.update().where(leases.c.name == 'a').values(owner='somebody')
    with database.engine.begin() as other:
        other.execute(change)
        assert code_of(lambda: database.transaction(lambda connection: connection.execute(change))) == 'database_locked'
    database.transaction(lambda connection: connection.execute(change))


def test_a_table_is_locked(database: Database) -> None:
    with database.engine.begin() as other:
        other.exec_driver_sql(LOCK_TABLE[database.kind])
        assert code_of(lambda: database.rows(leases.select())) == 'database_locked'
        if database.kind == 'mysql':
            other.exec_driver_sql('UNLOCK TABLES')
    assert len(database.rows(leases.select())) == 1


def test_a_table_is_full(database: Database) -> None:
    if database.kind != 'mysql':
        pytest.skip('PostgreSQL fills a disk only')

    def fill(connection: Connection) -> None:
        connection.exec_driver_sql('SET SESSION max_heap_table_size = 16384')
        connection.exec_driver_sql('CREATE TEMPORARY TABLE small (x CHAR(200)) ENGINE = MEMORY')
        try:
            for _ in range(1000):
                connection.execute(sa.text("INSERT INTO small VALUES ('x')"))
        finally:
            connection.exec_driver_sql('DROP TEMPORARY TABLE small')
    assert code_of(lambda: database.transaction(fill)) == 'database_full'
