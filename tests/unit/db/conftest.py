"""An empty store of Compute with its options."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from oslo_config import cfg

from compute import conf as options
from compute.db import migrate
from compute.db.session import Database


@pytest.fixture
def conf(tmp_path: Any) -> cfg.ConfigOpts:
    made = options.register(cfg.ConfigOpts())
    made([], project='compute', default_config_files=[], default_config_dirs=[])
    made.set_override('connection', f'sqlite:///{tmp_path}/q.sqlite', 'database')
    return made


@pytest.fixture
def db(conf: cfg.ConfigOpts) -> Iterator[Database]:
    database = Database(conf.database.connection, conf.database)
    migrate.upgrade(database, 'compute.db.versions', 'compute_version')
    yield database
    database.dispose()
