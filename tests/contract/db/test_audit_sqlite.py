"""The auditor on SQLite; tests/real runs the same on the other databases."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from compute.db.session import Database
from tests.contract.db.audit_contract import AuditContract
from tests.contract.db.stores import open_store


@pytest.fixture
def database(tmp_path: pathlib.Path) -> Iterator[Database]:
    store = open_store(f'sqlite:///{tmp_path}/store.sqlite')
    yield store
    store.dispose()


class TestAudit(AuditContract):
    """On SQLite."""
