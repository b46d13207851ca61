"""A process that is to replace one that serves says that it is ready when it serves, however long that takes."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from compute import notifier
from compute.notifier import Notifier
from tests.waiting import LONG


@pytest.mark.parametrize(('replaces', 'early'), [(False, ['READY=1']), (True, [])])
def test_ready(monkeypatch: pytest.MonkeyPatch, replaces: bool, early: list[str]) -> None:
    said: list[str] = []
    told = threading.Condition()

    def send(message: str) -> None:
        with told:
            said.append(message)
            told.notify_all()
    monkeypatch.setattr(notifier, 'send', send)
    monkeypatch.setattr(notifier, 'ANNOUNCE_AFTER', 0.05)
    if replaces:
        monkeypatch.setenv(notifier.REPLACES, '1')
    service = SimpleNamespace(serving=threading.Event(), health=lambda: ['it waits'])
    speaker = Notifier(service)
    speaker.start()
    with told:
        told.wait_for(lambda: 'READY=1' in said, LONG if early else 0.5)
        assert [word for word in said if word == 'READY=1'] == early
        service.serving.set()
        assert told.wait_for(lambda: 'READY=1' in said, LONG)
    speaker.stop()
