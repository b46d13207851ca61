"""A process that is paused in the middle of a transaction keeps its locks no longer than it may, on both databases."""

from __future__ import annotations

import os
import threading
import types
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy.engine import Connection

from compute.db import migrate
from compute.db.session import Database
from compute.db.tables import leases
from compute.objects.value import now
from tests.contract.db.stores import OPTIONS, empty, open_store
from tests.waiting import LONG, elapse

TIMEOUT = 1
LOCKED = leases.select().where(leases.c.name == 'a').with_for_update()


@pytest.fixture(params=['COMPUTE_TEST_MYSQL_URL', 'COMPUTE_TEST_PG_URL'])
def database(request: pytest.FixtureRequest) -> object:
    if not os.environ.get(request.param):
        pytest.skip(f'{request.param} is not set')
    url = os.environ[request.param]
    open_store(url).dispose()
    database = Database(url, types.SimpleNamespace(**{**vars(OPTIONS), 'idle_transaction_timeout': TIMEOUT}))
    yield database
    empty(database)
    database.dispose()


def test_who_migrates_for_long_keeps_the_others_out(database: Database) -> None:
    """The connection with the lock says nothing while others do the work: it must not be in a transaction."""
    begun, ends = threading.Event(), list[str]()

    def migrate_slowly(name: str, seconds: float) -> None:
        with migrate._alone(database, 'slow_version'):
            begun.set()
            elapse(seconds)
            ends.append(name)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(migrate_slowly, 'first', TIMEOUT * 3)
        assert begun.wait(LONG)
        second = pool.submit(migrate_slowly, 'second', 0)
        first.result(LONG)
        second.result(LONG)
    assert ends == ['first', 'second']


def test_who_sleeps_in_a_transaction_keeps_nobody_waiting(database: Database) -> None:
    database.transaction(lambda connection: connection.execute(
        leases.insert().values(name='a', owner='nobody', until=now())))
    asleep, awake, attempts = threading.Event(), threading.Event(), list[str]()

    def write(connection: Connection, name: str) -> None:
        owner = connection.execute(LOCKED).one().owner
        if name == 'sleeper':
            attempts.append(owner)
            asleep.set()
            assert awake.wait(LONG)
        connection.execute(leases.update().values(owner=f'{owner}, {name}'))
    with ThreadPoolExecutor(1) as pool:
        sleeper = pool.submit(database.transaction, lambda connection: write(connection, 'sleeper'))
        assert asleep.wait(LONG)
        database.transaction(lambda connection: write(connection, 'other'))
        awake.set()
        sleeper.result(LONG)
    assert attempts == ['nobody', 'nobody, other']  # the second time it sees what was written while it slept
    assert database.row(leases.select()).owner == 'nobody, other, sleeper'
