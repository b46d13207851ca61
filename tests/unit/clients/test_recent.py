"""What neighbours answered a moment ago: kept for its caller, for as long as was said, and only if it is good news."""

from __future__ import annotations

import pytest

from compute.clients import recent as module
from compute.clients.recent import Recent
from compute.context import RequestContext
from tests.clock import Clock


def caller(user: str = 'u', roles: tuple[str, ...] = ('member',)) -> RequestContext:
    return RequestContext(user_id=user, project_id='p', roles=list(roles))


def test_asked_once_while_it_is_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(module, 'time', clock)
    recent, asked = Recent(0.2), []

    def ask() -> str:
        asked.append(1)
        return f'answer {len(asked)}'
    assert [recent.get(caller(), 'image', ask) for _ in range(3)] == ['answer 1'] * 3
    clock.advance(0.1)
    assert recent.get(caller(), 'image', ask) == 'answer 1'
    clock.advance(0.1)
    assert recent.get(caller(), 'image', ask) == 'answer 2'


def test_an_answer_is_its_callers_alone() -> None:
    recent = Recent(60)
    assert recent.get(caller(), 'image', lambda: 'mine') == 'mine'
    assert recent.get(caller('other'), 'image', lambda: 'theirs') == 'theirs'
    assert recent.get(caller(roles=('admin',)), 'image', lambda: 'as admin') == 'as admin'
    assert recent.get(caller(), 'network', lambda: 'another thing') == 'another thing'


def test_bad_news_and_with_zero_everything_is_asked_again() -> None:
    for recent, good in ((Recent(60), False), (Recent(0), True)):
        assert recent.get(caller(), 'image', lambda: 1, lambda answer, good=good: good) == 1
        assert recent.get(caller(), 'image', lambda: 2, lambda answer, good=good: good) == 2
