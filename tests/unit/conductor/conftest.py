"""The controller of a test; what must always hold is asserted after each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.conductor.making import Controller
from tests.unit.conductor.travelling import Travel, known


@pytest.fixture
def controller(tmp_path: Any) -> Iterator[Controller]:
    """A conductor with two hosts, b with more room than a."""
    made = Controller(f'{tmp_path}/compute.sqlite')
    made.add_host('a', 4096)
    made.add_host('b', 8192)
    yield made
    made.check()
    made.db.dispose()


@pytest.fixture
def travel(controller: Controller, monkeypatch: pytest.MonkeyPatch) -> Iterator[Travel]:
    """A server on b that is asked to go to a, by an operation of three legs that no release knows."""
    with known(monkeypatch) as handler:
        yield Travel(controller, handler)
