"""The hosts in memory against rows that change under them."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from compute.db import claims, hosts
from compute.db.session import Database
from compute.objects.request_spec import RequestSpec
from compute.scheduler.host_states import HostStates
from compute.scheduler.request import Request
from tests.contract.db.stores import add_host, add_server, open_store
from tests.unit.scheduler.making import make_conf


@pytest.fixture
def database(tmp_path: pathlib.Path) -> Iterator[Database]:
    store = open_store(f'sqlite:///{tmp_path}/store.sqlite')
    yield store
    store.dispose()


@pytest.fixture
def place(database: Database) -> int:
    return add_host(database, 'one')


@pytest.fixture
def states(database: Database, place: int) -> HostStates:
    found = HostStates(database, make_conf())
    found.refresh()
    return found


def take(database: Database, spec: RequestSpec, place: int) -> int:
    claimed = database.transaction(lambda connection: claims.take(connection, spec, place))
    assert claimed is not None
    return claimed.generation


def free(states: HostStates) -> int:
    return states.all()[0].vcpus_free


def test_a_claim_of_ours_counts_from_the_decision_on(database: Database, states: HostStates, place: int) -> None:
    spec = add_server(database)
    request = Request(spec)
    states.assume(place, request)
    assert free(states) == 3
    states.confirm(place, take(database, spec, place), request)
    assert free(states) == 3
    states.refresh(force=True)
    assert free(states) == 3


def test_a_look_between_commit_and_confirm_does_not_count_twice(database: Database, states: HostStates,
                                                                place: int) -> None:
    spec = add_server(database)
    request = Request(spec)
    states.assume(place, request)
    generation = take(database, spec, place)
    states.refresh(force=True)
    states.confirm(place, generation, request)
    assert free(states) == 3


def test_a_change_by_others_is_read_after_our_claim(database: Database, states: HostStates, place: int) -> None:
    others, ours = add_server(database), add_server(database)
    take(database, others, place)
    request = Request(ours)
    states.assume(place, request)
    states.confirm(place, take(database, ours, place), request)
    states.refresh(force=True)
    assert free(states) == 2


def test_what_was_not_taken_is_given_back(states: HostStates, place: int, database: Database) -> None:
    request = Request(add_server(database))
    states.assume(place, request)
    states.refresh(force=True)
    states.abandon(place, request)
    assert free(states) == 4


def test_a_reload_keeps_what_is_pending(states: HostStates, place: int, database: Database) -> None:
    request = Request(add_server(database))
    states.assume(place, request)
    states.reload()
    assert free(states) == 3


def test_rows_read_before_our_claim_do_not_undo_it(database: Database, states: HostStates, place: int,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    old = database.read(hosts.all_hosts)
    spec = add_server(database)
    request = Request(spec)
    states.assume(place, request)
    states.confirm(place, take(database, spec, place), request)
    monkeypatch.setattr(hosts, 'all_hosts', lambda connection: old)
    states.reload()
    assert free(states) == 3


def test_nothing_is_asked_within_the_interval(database: Database, states: HostStates, place: int) -> None:
    calm = HostStates(database, make_conf(refresh_interval=3600.0))
    calm.refresh()
    take(database, add_server(database), place)
    calm.refresh()
    assert free(calm) == 4
    calm.refresh(force=True)
    assert free(calm) == 3
