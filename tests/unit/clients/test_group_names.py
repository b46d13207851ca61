"""Names of security groups: who asks for them, how often, and what is shown while nobody answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection

import pytest

from compute import exception
from compute.clients.fake.network import FakeNetworks
from compute.clients.group_names import GroupNames
from compute.objects.network import SecurityGroup


class Networks(FakeNetworks):
    """Counts what it is asked for names, and keeps callers waiting until ``answers`` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[list[str]] = []
        self.answers = threading.Event()
        self.answers.set()

    def groups_by_id(self, ids: Collection[str], soon: bool = False) -> list[SecurityGroup]:
        self.asked.append(list(ids))
        assert self.answers.wait(30)
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
    deadline = time.monotonic() + 20
    while len(networks.asked) < times:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_name_is_asked_for_once_while_it_is_fresh(networks: Networks) -> None:
    key, names = networks.add_group('p1', 'web'), GroupNames(networks)
    assert [names.of([key]) for _ in range(3)] == [{key: 'web'}] * 3
    assert networks.asked == [[key]]


def test_a_group_that_is_not_there_is_asked_for_once_as_well(networks: Networks) -> None:
    names = GroupNames(networks)
    assert [names.of(['gone']) for _ in range(3)] == [{}] * 3
    assert networks.asked == [['gone']]


def test_after_a_failure_nobody_asks_for_a_while(networks: Networks) -> None:
    key, other = networks.add_group('p1', 'web'), networks.add_group('p1', 'db')
    names = GroupNames(networks, age=0, pause=0.5)
    assert names.of([key]) == {key: 'web'}
    networks.refuse(exception.Unavailable('down'))
    failed = time.monotonic()
    assert [names.of([key, other]) for _ in range(3)] == [{key: 'web'}] * 3
    assert len(networks.asked) == 2 or time.monotonic() - failed > 0.5
    networks.refuse(None)
    deadline = time.monotonic() + 20
    while names.of([other]) != {other: 'db'}:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_old_names_are_shown_while_one_caller_waits(networks: Networks) -> None:
    key, names = networks.add_group('p1', 'web'), GroupNames(networks, age=0)
    assert names.of([key]) == {key: 'web'}
    networks.answers.clear()
    first = asks(names, key)
    until_asked(networks, 2)
    begin = time.monotonic()
    assert names.of([key]) == {key: 'web'}
    assert time.monotonic() - begin < 0.5 and len(networks.asked) == 2
    networks.answers.set()
    first.join(20)


def test_who_knows_nothing_waits_a_moment_for_who_asks(networks: Networks) -> None:
    key, other = networks.add_group('p1', 'web'), networks.add_group('p1', 'db')
    names = GroupNames(networks)
    networks.answers.clear()
    first = asks(names, key)
    until_asked(networks, 1)
    begin = time.monotonic()
    assert names.of([other]) == {}
    assert time.monotonic() - begin < 10
    begin = time.monotonic()
    assert names.of([other]) == {}
    assert time.monotonic() - begin < 0.5 and len(networks.asked) == 1
    networks.answers.set()
    first.join(20)
    assert names.of([key, other]) == {key: 'web', other: 'db'}
