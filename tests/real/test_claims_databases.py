"""Claims on MariaDB and PostgreSQL: COMPUTE_TEST_MYSQL_URL and COMPUTE_TEST_PG_URL name empty databases to use."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from compute.db.session import Database
from tests.contract.db.claims_contract import ClaimsContract
from tests.contract.db.stores import open_store


@pytest.fixture(params=['COMPUTE_TEST_MYSQL_URL', 'COMPUTE_TEST_PG_URL'])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    url = os.environ.get(request.param)
    if not url:
        pytest.skip(f'{request.param} is not set')
    store = open_store(url)
    yield store
    store.dispose()


class TestClaims(ClaimsContract):
    """On the databases of a cluster."""
