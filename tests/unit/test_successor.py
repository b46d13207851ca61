"""A process says that it is ready when it serves and is well, however long that takes."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from compute import notifier
from compute.notifier import Notifier
from tests.waiting import LONG


@pytest.mark.parametrize('replaces', [False, True])
def test_ready(monkeypatch: pytest.MonkeyPatch, replaces: bool) -> None:
    said: list[str] = []
    told = threading.Condition()

    def send(message: str) -> None:
        with told:
            said.append(message)
            told.notify_all()
    monkeypatch.setattr(notifier, 'send', send)
    monkeypatch.setattr(notifier, '_LOOK', 0.01)
    problems, looked = ['it waits'], threading.Semaphore(0)

    def health() -> list[str]:
        looked.release()
        return list(problems)
    if replaces:
        monkeypatch.setenv(notifier.REPLACES, '1')
    service = SimpleNamespace(serving=threading.Event(), health=health)
    speaker = Notifier(service)
    speaker.start()
    for step in (problems.clear, service.serving.set):
        assert all(looked.acquire(timeout=LONG) for _ in range(3))
        assert 'READY=1' not in said
        step()
    with told:
        assert told.wait_for(lambda: 'READY=1' in said, LONG)
    assert 'STATUS=it waits' in said and 'STATUS=serving' in said
    speaker.stop()
