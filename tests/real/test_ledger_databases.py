"""The ledger against its model on the databases of a cluster; see tests/contract/db/ledger_machine.py.

COMPUTE_TEST_MYSQL_URL and COMPUTE_TEST_PG_URL name empty databases to use; without them nothing is tested.
"""

from __future__ import annotations

import functools
import os
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from compute.db.session import Database
from tests.contract.db.ledger_machine import Ledger
from tests.contract.db.stores import open_store


@functools.cache
def store(variable: str) -> Database:
    """Return the store that a variable names, with its tables made once."""
    return open_store(os.environ[variable])


@pytest.mark.parametrize('variable', ['COMPUTE_TEST_MYSQL_URL', 'COMPUTE_TEST_PG_URL'])
def test_the_ledger_keeps_to_its_model(variable: str) -> None:
    if not os.environ.get(variable):
        pytest.skip(f'{variable} is not set')

    class OnServer(Ledger):
        store: ClassVar = functools.partial(store, variable)
    run_state_machine_as_test(OnServer, settings=settings(
        max_examples=10, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)))
    store(variable).dispose()
