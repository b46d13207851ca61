"""Names of security groups: who asks for them, how often, and what is shown while nobody answers."""

from __future__ import annotations

import threading
from collections.abc import Collection

import pytest

from compute import exception
from compute.clients import group_names
from compute.clients.fake.network import FakeNetworks
from compute.clients.group_names import GroupNames
from compute.objects.network import SecurityGroup
from tests.clock import Clock
from tests.waiting import LONG, wait_until


class Networks(FakeNetworks):
    """Counts what it is asked for names, and keeps callers waiting until ``answers`` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[list[str]] = []
        self.answers = threading.Event()
        self.answers.set()

    def groups_by_id(self, ids: Collection[str], soon: bool = False) -> list[SecurityGroup]:
        self.asked.append(list(ids))
        assert self.answers.wait(LONG)
        return super().groups_by_id(ids, soon)


@pytest.fixture
def networks() -> Networks:
    return Networks()


def asks(names: GroupNames, key: str) -> threading.Thread:
    """Return a thread that asks for a name."""
    thread = threading.Thread(target=names.of, args=([key],), daemon=True)
    thread.start()
    return thread


def until_asked(networks: Networks, times: int) -> None:
    wait_until(lambda: len(networks.asked) >= times, f'{times} requests')


def test_a_name_is_asked_for_once_while_it_is_fresh(networks: Networks) -> None:
    key, names = networks.add_group('p1', 'web'), GroupNames(networks)
    assert [names.of([key]) for _ in range(3)] == [{key: 'web'}] * 3
    assert networks.asked == [[key]]


def test_a_group_that_is_not_there_is_asked_for_once_as_well(networks: Networks) -> None:
    names = GroupNames(networks)
    assert [names.of(['gone']) for _ in range(3)] == [{}] * 3
    assert networks.asked == [['gone']]


def test_after_a_failure_nobody_asks_for_a_while(networks: Networks, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(group_names, 'time', clock)
    key, other = networks.add_group('p1', 'web'), networks.add_group('p1', 'db')
    names = GroupNames(networks, age=0, pause=0.5)
    assert names.of([key]) == {key: 'web'}
    clock.advance(0.1)
    networks.refuse(exception.Unavailable('down'))
    assert [names.of([key, other]) for _ in range(3)] == [{key: 'web'}] * 3
    assert len(networks.asked) == 2
    networks.refuse(None)
    clock.advance(0.4)
    assert names.of([other]) == {} and len(networks.asked) == 2
    clock.advance(0.2)
    assert names.of([other]) == {other: 'db'}


def test_old_names_are_shown_while_one_caller_waits(networks: Networks) -> None:
    key, names = networks.add_group('p1', 'web'), GroupNames(networks, age=0)
    assert names.of([key]) == {key: 'web'}
    networks.answers.clear()
    first = asks(names, key)
    until_asked(networks, 2)
    assert names.of([key]) == {key: 'web'} and len(networks.asked) == 2
    networks.answers.set()
    first.join()


def test_who_knows_nothing_waits_a_moment_for_who_asks(networks: Networks) -> None:
    key, other = networks.add_group('p1', 'web'), networks.add_group('p1', 'db')
    names = GroupNames(networks)
    networks.answers.clear()
    first = asks(names, key)
    until_asked(networks, 1)
    assert [names.of([other]) for _ in range(2)] == [{}, {}]
    assert len(networks.asked) == 1 and first.is_alive()
    networks.answers.set()
    first.join()
    assert names.of([key, other]) == {key: 'web', other: 'db'}
