"""Faults of the three databases: what is tried again, and what the caller is told."""

from __future__ import annotations

import socket
import sqlite3
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pymysql.err
import pytest
import sqlalchemy as sa
from oslo_config import cfg
from pg8000.exceptions import DatabaseError, InterfaceError
from sqlalchemy import event, exc

from compute import conf as options
from compute.db import faults
from compute.db.session import Database
from compute.exception import ComputeError, NotFound, Unavailable
from tests.waiting import LONG

KINDS = {
    faults.READ_ONLY: [
        pymysql.err.OperationalError(1290, 'The MariaDB server is running with the --read-only option'),
        pymysql.err.InternalError(1792, 'Cannot execute statement in a READ ONLY transaction'),
        pymysql.err.InternalError(1836, 'Running in read-only mode'),
        DatabaseError({'C': '25006', 'M': 'cannot execute INSERT in a read-only transaction'}),
        sqlite3.OperationalError('attempt to write a readonly database')],
    faults.FULL: [
        pymysql.err.OperationalError(1021, 'Disk full (/tmp); waiting for someone to free some space...'),
        pymysql.err.OperationalError(1114, "The table 'instances' is full"),
        pymysql.err.InternalError(1030, 'Got error 28 "No space left on device" from storage engine InnoDB'),
        pymysql.err.InternalError(3, "Error writing file '/x' (Errcode: 28 \"No space left on device\")"),
        DatabaseError({'C': '53100', 'M': 'could not extend file'}),
        sqlite3.OperationalError('database or disk is full')],
    faults.LOCKED: [
        pymysql.err.OperationalError(1205, 'Lock wait timeout exceeded; try restarting transaction'),
        DatabaseError({'C': '55P03', 'M': 'canceling statement due to lock timeout'}),
        sqlite3.OperationalError('database is locked')],
    faults.RACE: [
        pymysql.err.OperationalError(1213, 'Deadlock found when trying to get lock'),
        DatabaseError({'C': '40001', 'M': 'could not serialize access due to concurrent update'}),
        DatabaseError({'C': '40P01', 'M': 'deadlock detected'}),
        pymysql.err.OperationalError(1020, "Record has changed since last read in table 'x'"),
        pymysql.err.OperationalError(1305, 'SAVEPOINT sa_savepoint_1 does not exist')],
    faults.LOST: [
        pymysql.err.OperationalError(2003, "Can't connect to MySQL server on '127.0.0.1'"),
        pymysql.err.OperationalError(2013, 'Lost connection to MySQL server during query (timed out)'),
        pymysql.err.OperationalError(1040, 'Too many connections'),
        DatabaseError({'C': '57P03', 'M': 'the database system is starting up'}),
        DatabaseError({'C': '53300', 'M': 'sorry, too many clients already'}),
        InterfaceError('network error'), sqlite3.OperationalError('unable to open database file')],
    faults.UNFIT: [
        pymysql.err.DataError(1264, 'Out of range value'), DatabaseError({'C': '22003', 'M': 'out of range'})],
    faults.OTHER: [
        pymysql.err.ProgrammingError(1146, "Table 'x.y' doesn't exist"),
        DatabaseError({'C': '42P01', 'M': 'no relation'}),
        sqlite3.OperationalError('no such table: x'), sqlite3.DatabaseError('database disk image is malformed')],
}
ALL = [(kind, error) for kind, errors in KINDS.items() for error in errors]
CODES = {faults.READ_ONLY: 'database_read_only', faults.FULL: 'database_full', faults.LOCKED: 'database_locked',
         faults.RACE: 'database_unavailable', faults.LOST: 'database_unavailable'}


def wrapped(error: Exception) -> exc.DBAPIError:
    kind = exc.DataError if isinstance(error, pymysql.err.DataError) else exc.OperationalError
    return kind('INSERT', {}, error)


@pytest.fixture
def settings() -> Any:
    conf = options.register(cfg.ConfigOpts())
    conf([], default_config_files=[], default_config_dirs=[])
    return types.SimpleNamespace(**{**dict(conf.database.items()), 'max_retries': 2})


@pytest.fixture
def database(tmp_path: Path, settings: Any) -> Iterator[Database]:
    made = Database(f'sqlite:///{tmp_path}/x.sqlite', settings)
    made.transaction(lambda connection: connection.exec_driver_sql('CREATE TABLE t (n TEXT)'))
    yield made
    made.dispose()


def insert(connection: sa.Connection) -> None:
    connection.exec_driver_sql("INSERT INTO t VALUES ('" + 'x' * 5000 + "')")


@pytest.mark.parametrize(('kind', 'error'), ALL, ids=[f'{kind}-{error}'[:60] for kind, error in ALL])
def test_each_database_says_it_in_its_own_way(kind: str, error: Exception) -> None:
    assert faults.kind_of(wrapped(error)) == kind


@pytest.mark.parametrize(('kind', 'runs'), [
    (faults.READ_ONLY, 2), (faults.FULL, 2), (faults.LOCKED, 3), (faults.RACE, 3), (faults.LOST, 3)])
def test_what_lasts_ends_in_503(database: Database, kind: str, runs: int) -> None:
    begun: list[int] = []

    def fails(connection: sa.Connection) -> None:
        begun.append(1)
        raise wrapped(KINDS[kind][0])
    with pytest.raises(Unavailable) as caught:
        database.transaction(fails)
    assert (caught.value.status, caught.value.code, caught.value.retryable) == (503, CODES[kind], True)
    assert len(begun) == runs


def test_a_failover_is_over_when_connections_are_made_anew(database: Database) -> None:
    """The old primary's connections take no writes; the second attempt has a new one."""
    old = [KINDS[faults.READ_ONLY][0]]

    def write(connection: sa.Connection) -> str:
        if old:
            raise wrapped(old.pop())
        return 'written'
    assert database.transaction(write) == 'written'


def test_time_bounds_what_is_tried_again(database: Database, settings: Any) -> None:
    settings.retry_time, begun = -1.0, []

    def fails(connection: sa.Connection) -> None:
        begun.append(1)
        raise wrapped(KINDS[faults.LOCKED][0])
    with pytest.raises(Unavailable):
        database.read(fails)
    assert begun == [1]


def test_a_read_only_file(database: Database, settings: Any, tmp_path: Path) -> None:
    reader = Database(f'sqlite:///file:{tmp_path}/x.sqlite?mode=ro&uri=true', settings)
    reader._writer = threading.RLock()
    with pytest.raises(Unavailable) as caught:
        reader.transaction(insert)
    assert caught.value.code == 'database_read_only'
    assert reader.scalar(sa.text('SELECT count(*) FROM t')) == 0
    reader.dispose()


def test_a_full_store(database: Database) -> None:
    event.listen(database.engine, 'checkout', lambda connection, *rest: connection.execute('PRAGMA max_page_count = 1'))
    with pytest.raises(Unavailable) as caught:
        for _ in range(50):
            database.transaction(insert)
    assert caught.value.code == 'database_full'


def test_a_store_that_another_process_has_locked(database: Database, settings: Any, tmp_path: Path) -> None:
    settings.retry_time = 0.0
    with sqlite3.connect(tmp_path / 'x.sqlite', isolation_level=None) as other:
        other.execute('BEGIN EXCLUSIVE')
        with pytest.raises(Unavailable) as caught:
            database.transaction(insert)
        assert caught.value.code == 'database_locked'
        other.execute('ROLLBACK')
    database.transaction(insert)


def test_a_writer_of_this_process_that_does_not_end(database: Database, settings: Any) -> None:
    settings.retry_time = 0.0
    entered, go = threading.Event(), threading.Event()

    def stuck(connection: sa.Connection) -> None:
        entered.set()
        assert go.wait(LONG)
    thread = threading.Thread(target=database.transaction, args=(stuck,))
    thread.start()
    assert entered.wait(LONG)
    with pytest.raises(Unavailable) as caught:
        database.transaction(insert)
    assert caught.value.code == 'database_busy'
    go.set()
    thread.join(LONG)


@pytest.mark.parametrize('url', ['mysql+pymysql://u:p@127.0.0.1:{}/d', 'postgresql+pg8000://u:p@127.0.0.1:{}/d'])
def test_a_server_that_says_nothing(settings: Any, url: str) -> None:
    settings.query_timeout, settings.retry_time = 1, 0.0
    with socket.create_server(('127.0.0.1', 0)) as silent:
        stopped = Database(url.format(silent.getsockname()[1]), settings)
        for act in (lambda: stopped.transaction(insert), stopped.ping):
            with pytest.raises(Unavailable) as caught:
                act()
            assert caught.value.code == 'database_unavailable'
        stopped.dispose()


def test_while_a_database_hangs_most_fail_at_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr('compute.db.faults.time', types.SimpleNamespace(monotonic=lambda: clock[0]))
    breaker = faults.Breaker()
    breaker.failed(0.1)
    breaker.admit()  # it failed quickly: the next one is tried
    breaker.failed(30.0)
    for _ in range(3):
        with pytest.raises(Unavailable):
            breaker.admit()
    clock[0] += 6
    breaker.admit()  # one looks
    with pytest.raises(Unavailable):
        breaker.admit()
    breaker.succeeded()
    breaker.admit()


@pytest.fixture
def hung(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Return a database that hung, and of which the next attempt finds out whether it answers again."""
    clock = [100.0]
    monkeypatch.setattr('compute.db.faults.time', types.SimpleNamespace(monotonic=lambda: clock[0]))
    database._breaker.failed(30.0)
    clock[0] += 6
    return database


def refuses(connection: sa.Connection) -> None:
    raise NotFound('There is no such thing')


def fails_with(error: Exception) -> Callable[[sa.Connection], None]:
    def fails(connection: sa.Connection) -> None:
        raise wrapped(error)
    return fails


@pytest.mark.parametrize('way', ['read', 'transaction'])
@pytest.mark.parametrize('error', [NotFound('no'), KeyError('x'), Unavailable('another service')])
def test_an_error_of_the_caller_ends_the_refusals_of_a_database_that_answers(hung: Database, way: str,
                                                                             error: Exception) -> None:
    def fails(connection: sa.Connection) -> None:
        raise error
    with pytest.raises(type(error)):
        getattr(hung, way)(fails)
    hung.ping()
    assert not hung._breaker.admit()


def test_an_error_of_the_caller_ends_no_refusals_of_a_database_that_hangs(hung: Database,
                                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller may not have asked the database anything."""
    def hangs() -> float:
        raise Unavailable('The database does not answer')
    monkeypatch.setattr(hung, 'round_trip', hangs)
    with pytest.raises(NotFound):
        hung.read(refuses)
    with pytest.raises(Unavailable):
        hung.ping()


def test_an_error_of_the_caller_costs_nothing_while_all_is_well(database: Database,
                                                               monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, 'round_trip', None)
    with pytest.raises(NotFound):
        database.read(refuses)


@pytest.mark.parametrize('kind', [kind for kind in KINDS if kind != faults.LOST])
def test_every_error_of_the_database_itself_is_an_answer(hung: Database, kind: str) -> None:
    with pytest.raises((ComputeError, exc.DBAPIError)):
        hung.read(fails_with(KINDS[kind][0]))
    hung.ping()


def test_a_lost_connection_is_no_answer(hung: Database) -> None:
    with pytest.raises(Unavailable):
        hung.read(fails_with(KINDS[faults.LOST][0]))
    with pytest.raises(Unavailable):
        hung.ping()


def test_who_comes_while_another_finds_out_begins_no_new_refusals() -> None:
    breaker = faults.Breaker()
    breaker.failed(30.0)

    class Late:
        """A lock that is free only when another one has found out."""

        def __enter__(self) -> None:
            breaker._next = None

        def __exit__(self, *exc_info: object) -> None:
            pass
    breaker._lock = Late()  # type: ignore[assignment]
    assert not breaker.admit()
    assert breaker._next is None
