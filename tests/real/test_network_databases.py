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
    test_network_port_checks,
    test_network_ports,
    test_network_rules,
    test_network_subnets,
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
                test_network_races):
    globals().update({name: item for name, item in vars(_module).items() if name.startswith('test_')})
# Of the others what the database decides.
network = test_network_port_checks.network
for _test in (test_network_port_checks.test_null_makes_a_new_mac,
              test_network_port_checks.test_ports_that_keep_something_in_use_are_named,
              test_network_port_checks.test_ports_of_the_network_itself_go_with_it,
              test_network_port_checks.test_a_wide_address_pair_opens_no_port_of_its_group,
              test_network_rules.test_the_database_holds_that_a_rule_is_one,
              test_network_rules.test_a_rule_of_a_daemon_of_the_version_before_is_known,
              test_network_rules.test_a_remote_group_is_part_of_a_rule,
              test_network_subnets.test_a_subnet_says_whether_its_network_is_external):
    globals()[_test.__name__] = _test
