"""The ledger against its model on SQLite, and proof that the model would notice."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from compute.db.session import Database
from tests.contract.db.ledger_machine import Ledger
from tests.contract.db.mutants import MUTANTS, mutant
from tests.contract.db.stores import open_store


@functools.cache
def store() -> Database:
    folder = tempfile.mkdtemp(prefix='ledger-')
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return open_store(f'sqlite:///{folder}/store.sqlite')


class SqliteLedger(Ledger):
    """On SQLite."""

    store = staticmethod(store)


TestLedger = SqliteLedger.TestCase
TestLedger.settings = settings(max_examples=25, stateful_step_count=40, deadline=None,
                               suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize('name', MUTANTS)
def test_a_broken_ledger_is_noticed(name: str) -> None:
    with mutant(name), pytest.raises(AssertionError):
        run_state_machine_as_test(SqliteLedger, settings=settings(
            max_examples=500, stateful_step_count=40, deadline=None, database=None, derandomize=True,
            phases=[Phase.generate], suppress_health_check=list(HealthCheck), print_blob=False,
            report_multiple_bugs=False))
