"""The model of the ledger notices a ledger that lacks one of its checks: it looks for the example that shows it."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.contract.db.mutants import MUTANTS, mutant
from tests.contract.db.test_ledger_sqlite import SqliteLedger


@pytest.mark.parametrize('name', MUTANTS)
def test_a_broken_ledger_is_noticed(name: str) -> None:
    with mutant(name), pytest.raises(AssertionError):
        run_state_machine_as_test(SqliteLedger, settings=settings(
            max_examples=500, stateful_step_count=40, deadline=None, database=None, derandomize=True,
            phases=[Phase.generate], suppress_health_check=list(HealthCheck), print_blob=False,
            report_multiple_bugs=False))
