"""What agents could not be told of is told them later, unless they have asked by themselves since."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from compute.builtin.network import hints
from compute.builtin.network.control.changes import Changes
from compute.exception import Unavailable


class Agents:
    """Stands for the bus and for the store: every change is one of host h. The first ``lost`` messages are."""

    def __init__(self, lost: int) -> None:
        self.lost, self.tried, self.told = lost, 0, threading.Event()

    def read(self, function: Any) -> Any:
        return {}, {'h'}

    def client(self, interface: Any, server: str) -> Any:
        return self

    def refresh(self, context: Any) -> None:
        self.tried += 1
        if self.tried <= self.lost:
            raise Unavailable('the broker does not answer')
        self.told.set()


def changed() -> Changes:
    changes = Changes()
    changes.networks.add('n')
    return changes


def make(agents: Agents) -> hints.Hints:
    return hints.Hints(agents, SimpleNamespace(refresh_interval=1.0, wire_limit=10), agents)  # type: ignore[arg-type]


def test_it_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hints, 'RETRY_IN', 0.05)
    agents = Agents(lost=2)
    teller = make(agents)
    teller.start()
    teller.note(changed())
    assert agents.told.wait(120) and agents.tried == 3
    teller.stop()


def test_not_for_ever(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(hints, 'KEPT', -1.0)
    agents = Agents(lost=10)
    teller = make(agents)
    teller.note(changed())
    teller.flush()
    assert agents.tried == 1 and 'when they next ask' in caplog.text
    teller.flush()
    assert agents.tried == 2  # the store is asked, as ever
