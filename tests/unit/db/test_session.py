"""What a store says of values that no column can hold and of commits without an answer, and who may read its files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from oslo_config import cfg
from sqlalchemy import exc
from sqlalchemy.engine.base import RootTransaction

from compute import conf as options
from compute.db import session
from compute.db.session import Database
from compute.exception import Invalid, Unavailable


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    conf = options.register(cfg.ConfigOpts())
    conf([], default_config_files=[], default_config_dirs=[])
    made = Database(f'sqlite:///{tmp_path}/x.sqlite', conf.database)
    yield made
    made.dispose()


def test_a_number_beyond_64_bits_is_the_callers_fault(database: Database) -> None:
    with pytest.raises(Invalid) as caught:
        database.scalar(sa.select(sa.literal(2 ** 70, sa.BigInteger)))
    assert caught.value.code == 'value_out_of_range'


def test_the_files_of_a_store_are_its_owners_only(database: Database, tmp_path: Path) -> None:
    database.transaction(lambda connection: connection.execute(sa.text('CREATE TABLE t (x INTEGER)')))
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert 'x.sqlite' in modes and set(modes.values()) == {0o600}, modes


@pytest.mark.parametrize(('said', 'runs'), [
    ('Lost connection to server during query', 1), ('Deadlock found', 2),
    ('SAVEPOINT sa_savepoint_1 does not exist', 2)])
def test_what_may_have_been_committed_is_not_done_again(database: Database, monkeypatch: pytest.MonkeyPatch, said: str,
                                                        runs: int) -> None:
    database.transaction(lambda connection: connection.exec_driver_sql('CREATE TABLE t (n INTEGER)'))
    commit, failures, begun = RootTransaction.commit, [said], []

    def broken(transaction: RootTransaction) -> None:
        if failures:
            error = exc.OperationalError('COMMIT', {}, Exception(2013, failures.pop()))
            if runs == 1:
                commit(transaction)
            raise error
        commit(transaction)
    monkeypatch.setattr(RootTransaction, 'commit', broken)

    def write(connection: sa.Connection) -> None:
        begun.append(1)
        connection.exec_driver_sql('INSERT INTO t VALUES (1)')
    if runs == 1:
        with pytest.raises(Unavailable) as caught:
            database.transaction(write)
        assert caught.value.code == 'database_unsure'
    else:
        database.transaction(write)
    assert len(begun) == runs and len(database.rows(sa.text('SELECT n FROM t'))) == 1  # type: ignore[arg-type]


def test_a_commit_that_the_socket_broke_is_not_done_again(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """pg8000 lets some errors of its socket through as they are, and SQLAlchemy does not know them."""
    sa.event.listen(database.engine, 'handle_error', session._name_loss)
    database.transaction(lambda connection: connection.exec_driver_sql('CREATE TABLE t (n INTEGER)'))
    commit, failures = database.engine.dialect.do_commit, [ConnectionResetError('by peer')]

    def broken(connection: Any) -> None:
        commit(connection)
        if failures:
            raise failures.pop()
    monkeypatch.setattr(database.engine.dialect, 'do_commit', broken)
    with pytest.raises(Unavailable) as caught:
        database.transaction(lambda connection: connection.exec_driver_sql('INSERT INTO t VALUES (1)'))
    assert caught.value.code == 'database_unsure'
    assert len(database.rows(sa.text('SELECT n FROM t'))) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize('error', [TimeoutError('timed out'), OSError('cannot read from timed out object')])
def test_a_connection_whose_socket_broke_is_not_used_again(database: Database, monkeypatch: pytest.MonkeyPatch,
                                                           error: OSError) -> None:
    sa.event.listen(database.engine, 'handle_error', session._name_loss)
    database.ping()
    execute, failures, used = database.engine.dialect.do_execute, [error], []

    def broken(cursor: Any, *rest: Any) -> None:
        used.append(cursor.connection)
        if failures:
            raise failures.pop()
        execute(cursor, *rest)
    monkeypatch.setattr(database.engine.dialect, 'do_execute', broken)
    database.ping()
    assert len(used) == 2 and used[0] is not used[1]


@pytest.mark.parametrize('url', ['postgresql+pg8000://u:p@localhost/x', 'mysql+pymysql://u:p@localhost/x'])
def test_every_server_has_its_broken_sockets_named(database: Database, url: str) -> None:
    made = Database(url, database._options)
    for engine in (made.engine, made._reader):
        assert sa.event.contains(engine, 'handle_error', session._name_loss)
    made.dispose()


def test_an_error_does_not_tell_the_values(database: Database) -> None:
    """They may be passwords, and errors reach the logs."""
    table = sa.table('nowhere', sa.column('secret'))
    with pytest.raises(exc.OperationalError) as caught:
        database.transaction(lambda connection: connection.execute(table.insert().values(secret='S3cret')))
    assert 'nowhere' in str(caught.value) and 'S3cret' not in str(caught.value)


def test_changes_of_a_schema_take_as_long_as_they_take(database: Database) -> None:
    with database.unhurried() as same:
        assert same is database  # SQLite has no server to wait for
    busy = Database('mysql+pymysql://u:p@127.0.0.1/d', database._options)
    with busy.unhurried() as patient:
        assert (patient.url, patient._retries, patient._options.query_timeout) == (busy.url, 0, None)
        assert patient._options.max_pool_size == database._options.max_pool_size
    busy.dispose()
