"""What a store says of values that no column can hold, and who may read its files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from oslo_config import cfg

from compute import conf as options
from compute.db.session import Database
from compute.exception import Invalid


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
