"""What a store says of values that no column can hold."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from oslo_config import cfg

from compute import conf as options
from compute.db.session import Database
from compute.exception import Invalid


def test_a_number_beyond_64_bits_is_the_callers_fault(tmp_path: Path) -> None:
    conf = options.register(cfg.ConfigOpts())
    conf([], default_config_files=[], default_config_dirs=[])
    database = Database(f'sqlite:///{tmp_path}/x.sqlite', conf.database)
    try:
        with pytest.raises(Invalid) as caught:
            database.scalar(sa.select(sa.literal(2 ** 70, sa.BigInteger)))
        assert caught.value.code == 'value_out_of_range'
    finally:
        database.dispose()
