"""Revisions of identity on MariaDB and PostgreSQL, with rows that are there; see ``test_identity_databases.py``."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from compute.db.session import Database
from tests.real.test_identity_databases import _drop
from tests.unit.builtin.identity import test_identity_revisions


@pytest.fixture(params=['COMPUTE_TEST_MYSQL_URL', 'COMPUTE_TEST_PG_URL'])
def target(request: pytest.FixtureRequest) -> Iterator[Database]:
    """An empty store on a real server."""
    url = os.environ.get(request.param)
    if not url:
        pytest.skip(f'{request.param} is not set')
    _drop(url)
    database = test_identity_revisions.open_store(url)
    yield database
    database.dispose()
    _drop(url)


globals().update({name: item for name, item in vars(test_identity_revisions).items() if name.startswith('test_')})
