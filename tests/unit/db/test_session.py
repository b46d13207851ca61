"""What a store says of values that no column can hold and of commits without an answer, and who may read its files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from oslo_config import cfg
from sqlalchemy import exc
from sqlalchemy.engine.base import RootTransaction

from compute import conf as options
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
