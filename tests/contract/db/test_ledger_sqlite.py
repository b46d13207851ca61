"""The ledger against its model on SQLite. The endurance set shows that the model notices a broken ledger."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile

from hypothesis import HealthCheck, settings

from compute.db.session import Database
from tests.contract.db.ledger_machine import Ledger
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
