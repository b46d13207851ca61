"""Identity on MariaDB and PostgreSQL: COMPUTE_TEST_MYSQL_URL and COMPUTE_TEST_PG_URL name databases to use.

The tables of identity in them are dropped before and after.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from compute.builtin.identity.daemon import VERSION_TABLE
from compute.builtin.identity.db.tables import metadata
from tests.api.identity import (
    test_identity_assignments,
    test_identity_credentials,
    test_identity_domain_roles,
    test_identity_ec2,
    test_identity_groups,
    test_identity_idempotency,
    test_identity_kept,
    test_identity_lockout,
    test_identity_nouns,
    test_identity_revocation,
    test_identity_tags,
)
from tests.api.identity.cloud import Cloud

alice = test_identity_credentials.alice
limit = test_identity_lockout.limit
keys, ruled = test_identity_ec2.keys, test_identity_domain_roles.ruled
site, filled = test_identity_groups.site, test_identity_assignments.filled


@pytest.fixture(params=['COMPUTE_TEST_MYSQL_URL', 'COMPUTE_TEST_PG_URL'])
def cloud(request: pytest.FixtureRequest, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """Identity in an empty database of a real server."""
    url = os.environ.get(request.param)
    if not url:
        pytest.skip(f'{request.param} is not set')
    monkeypatch.setenv('IDENTITY_TEST_DATABASE', url)
    _drop(url)
    made = Cloud(tmp_path)
    yield made
    made.daemon.stop()
    _drop(url)


def _drop(url: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        metadata.drop_all(connection)
        connection.execute(sa.text(f'DROP TABLE IF EXISTS {VERSION_TABLE}'))
    engine.dispose()


for _module in (
        test_identity_assignments, test_identity_credentials, test_identity_domain_roles, test_identity_ec2,
        test_identity_groups, test_identity_idempotency, test_identity_kept, test_identity_lockout,
        test_identity_nouns, test_identity_revocation, test_identity_tags):
    _name = _module.__name__.rpartition('_')[2]  # some tests of different modules have the same name
    globals().update({f'test_{_name}_{name.removeprefix("test_")}': item for name, item in vars(_module).items()
                      if name.startswith('test_')})
