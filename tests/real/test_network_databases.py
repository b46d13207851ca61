"""The network daemon on MariaDB and PostgreSQL: COMPUTE_TEST_MYSQL_URL and COMPUTE_TEST_PG_URL name databases to use.

The tables of the network in them are dropped before and after.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from compute.builtin.network.db.tables import metadata
from tests.api.network import (
    test_network_admin,
    test_network_idempotency,
    test_network_lists,
    test_network_ports,
    test_network_rules,
)
from tests.api.network.serving import Site
from tests.functional import test_network_races

five = test_network_lists.five


@pytest.fixture(scope='module', params=['COMPUTE_TEST_MYSQL_URL', 'COMPUTE_TEST_PG_URL'])
def engine(request: pytest.FixtureRequest) -> Iterator[sa.Engine]:
    """A real server, without our tables before and after."""
    found = os.environ.get(request.param)
    if not found:
        pytest.skip(f'{request.param} is not set')
    engine = sa.create_engine(found)
    _drop(engine)
    yield engine
    _drop(engine)
    engine.dispose()


@pytest.fixture
def url(engine: sa.Engine) -> str:
    """Its database, without rows: the first daemon makes the tables."""
    if sa.inspect(engine).has_table('network_version'):
        with engine.begin() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())
    return engine.url.render_as_string(hide_password=False)


@pytest.fixture
def site(url: str) -> Iterator[Site]:
    """A network daemon on it."""
    made = Site(url)
    yield made
    made.close()


@pytest.fixture
def daemons(url: str) -> Iterator[list[Site]]:
    """Two network daemons on it."""
    made = [Site(url), Site(url)]
    yield made
    for one in made:
        one.close()


def _drop(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        metadata.drop_all(connection)
        connection.execute(sa.text('DROP TABLE IF EXISTS network_version'))


for _module in (test_network_admin, test_network_idempotency, test_network_lists, test_network_ports,
                test_network_races, test_network_rules):
    globals().update({name: item for name, item in vars(_module).items() if name.startswith('test_')})
