"""Hosts, claims and server groups on SQLite; tests/real runs the same contract on the other databases."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from compute.db.session import Database
from tests.contract.db.claims_contract import ClaimsContract
from tests.contract.db.claims_together_contract import ClaimsTogetherContract
from tests.contract.db.hosts_contract import GroupsContract, HostsContract
from tests.contract.db.meeting_contract import MeetingContract
from tests.contract.db.migrations_contract import MigrationsContract
from tests.contract.db.purposes_contract import PurposesContract
from tests.contract.db.stores import open_store


@pytest.fixture
def database(tmp_path: pathlib.Path) -> Iterator[Database]:
    store = open_store(f'sqlite:///{tmp_path}/store.sqlite')
    yield store
    store.dispose()


class TestClaims(ClaimsContract):
    """On SQLite."""


class TestPurposes(PurposesContract):
    """On SQLite."""


class TestMigrations(MigrationsContract):
    """On SQLite."""


class TestClaimsTogether(ClaimsTogetherContract):
    """On SQLite."""


class TestMeeting(MeetingContract):
    """On SQLite."""


class TestHosts(HostsContract):
    """The same store."""


class TestGroups(GroupsContract):
    """The same store."""
