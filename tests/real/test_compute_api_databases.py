"""The Compute API's nouns on MariaDB and PostgreSQL: the same tests as on SQLite.

COMPUTE_TEST_MYSQL_URL and COMPUTE_TEST_PG_URL name empty databases to use; without them nothing is tested.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from compute.db.session import Database
from compute.db.tables import metadata
from tests.api.compute import (
    test_flavors,
    test_groups_and_actions,
    test_idempotency,
    test_infrastructure,
    test_keypairs,
    test_personality,
    test_quota_api,
    test_sql_counts,
)
from tests.api.compute.compute_cloud import ComputeApi
from tests.api.compute.serving import Servers
from tests.contract.db.stores import empty
from tests.unit.db import conftest, test_quotas

acted, conf = test_groups_and_actions.acted, conftest.conf
statements = test_sql_counts.statements


@pytest.fixture(scope='module', params=['COMPUTE_TEST_MYSQL_URL', 'COMPUTE_TEST_PG_URL'])
def store_url(request: pytest.FixtureRequest) -> Iterator[str]:
    url = os.environ.get(request.param)
    if not url:
        pytest.skip(f'{request.param} is not set')
    _drop(url)
    yield url
    _drop(url)


@pytest.fixture
def api(store_url: str) -> Iterator[ComputeApi]:
    """A Compute API on a real server, with nothing in its store."""
    served = ComputeApi(store_url)
    empty(served.db)
    yield served
    served.close()


@pytest.fixture
def servers(api: ComputeApi) -> Servers:
    """What is needed to have servers in it."""
    return Servers(api)


@pytest.fixture
def db(api: ComputeApi) -> Database:
    """The store of that API by itself."""
    return api.db


def _drop(url: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        metadata.drop_all(connection)
        connection.execute(sa.text('DROP TABLE IF EXISTS compute_version'))
    engine.dispose()


for _module in (test_flavors, test_groups_and_actions, test_idempotency, test_infrastructure, test_keypairs,
                test_personality, test_quota_api, test_quotas, test_sql_counts):
    globals().update({name: item for name, item in vars(_module).items() if name.startswith('test_')})
