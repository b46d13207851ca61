"""The controller of a test; what must always hold is asserted after each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.conductor.making import Controller


@pytest.fixture
def controller(tmp_path: Any) -> Iterator[Controller]:
    """A conductor with two hosts, b with more room than a."""
    made = Controller(f'{tmp_path}/compute.sqlite')
    made.add_host('a', 4096)
    made.add_host('b', 8192)
    yield made
    made.check()
    made.db.dispose()
