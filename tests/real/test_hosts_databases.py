"""Hosts, claims and groups on MariaDB and PostgreSQL.

COMPUTE_TEST_MYSQL_URL and COMPUTE_TEST_PG_URL name empty databases to use; without them nothing is tested.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from compute.db.session import Database
from tests.contract.db.audit_contract import AuditContract
from tests.contract.db.claims_contract import ClaimsContract
from tests.contract.db.claims_together_contract import ClaimsTogetherContract
from tests.contract.db.hosts_contract import GroupsContract, HostsContract
from tests.contract.db.meeting_contract import MeetingContract
from tests.contract.db.migrations_contract import MigrationsContract
from tests.contract.db.purposes_contract import PurposesContract
from tests.contract.db.stores import empty, open_store


@pytest.fixture(scope='module', params=['COMPUTE_TEST_MYSQL_URL', 'COMPUTE_TEST_PG_URL'])
def store(request: pytest.FixtureRequest) -> Iterator[Database]:
    url = os.environ.get(request.param)
    if not url:
        pytest.skip(f'{request.param} is not set')
    store = open_store(url)
    yield store
    store.dispose()


@pytest.fixture
def database(store: Database) -> Database:
    empty(store)
    return store


class TestClaims(ClaimsContract):
    """On the databases of a cluster."""


class TestPurposes(PurposesContract):
    """On the databases of a cluster."""


class TestMigrations(MigrationsContract):
    """On the databases of a cluster."""


class TestClaimsTogether(ClaimsTogetherContract):
    """On the databases of a cluster."""


class TestMeeting(MeetingContract):
    """On the databases of a cluster."""


class TestHosts(HostsContract):
    """The same store."""


class TestGroups(GroupsContract):
    """The same store."""


class TestAudit(AuditContract):
    """The same store."""
