"""Servers that are made together: each decision sees the one before, all claims are one transaction."""

from __future__ import annotations

import concurrent.futures
import pathlib
from collections import Counter
from collections.abc import Iterator

import pytest

from compute.db import claims_audit, hosts, server_groups
from compute.db.session import Database
from compute.objects.request_spec import RequestSpec
from compute.scheduler.select import SelectEndpoint
from tests.contract.db.stores import add_host, add_server, flavor, open_store
from tests.unit.scheduler.making import make_conf


@pytest.fixture
def database(tmp_path: pathlib.Path) -> Iterator[Database]:
    store = open_store(f'sqlite:///{tmp_path}/store.sqlite')
    yield store
    assert store.read(claims_audit.audit) == []
    store.dispose()


def servers(database: Database, count: int, memory_mb: int = 1024) -> tuple[RequestSpec, ...]:
    return tuple(add_server(database, flavor(memory_mb=memory_mb)) for _ in range(count))


def test_they_are_spread_as_if_asked_for_one_by_one(database: Database) -> None:
    for name in ('one', 'two', 'three'):
        add_host(database, name)
    scheduler = SelectEndpoint(database, make_conf())
    specs = servers(database, 6)
    found = scheduler.select_many(None, specs=specs)
    assert set(found) == {spec.instance_uuid for spec in specs}
    assert Counter(each.host for each in found.values()) == {'one': 2, 'two': 2, 'three': 2}
    for each in found.values():
        assert each.considered == 3 and sorted((each.host, *each.alternates)) == ['one', 'three', 'two']


def test_what_is_in_memory_stays_what_is_in_the_store(database: Database) -> None:
    places = [add_host(database, name) for name in ('one', 'two')]
    scheduler = SelectEndpoint(database, make_conf(refresh_interval=3600.0))
    scheduler.select_many(None, specs=servers(database, 3))
    scheduler.select(None, spec=add_server(database))
    with scheduler.states.lock:
        known = {state.id: (state.generation, state.memory_mb_free, state.vcpus_free)
                 for state in scheduler.states.all()}
    rows = {place: database.read(lambda connection, place=place: hosts.get(connection, place)) for place in places}
    assert known == {place: (row.generation, 4096 - row.memory_mb_used, 4 - row.vcpus_used)
                     for place, row in rows.items()}


def test_who_does_not_fit_is_left_out(database: Database) -> None:
    add_host(database, 'one')
    small, large = servers(database, 2), servers(database, 1, memory_mb=100000)
    found = SelectEndpoint(database, make_conf()).select_many(None, specs=(small[0], *large, small[1]))
    assert set(found) == {spec.instance_uuid for spec in small}
    assert SelectEndpoint(database, make_conf()).select_many(None, specs=large) == {}


def test_members_of_a_group_are_left_out(database: Database) -> None:
    add_host(database, 'one')
    uuid = database.transaction(lambda connection: server_groups.insert(
        connection, project_id='p', user_id='u', name='g', policy='affinity'))
    group = database.read(lambda connection: server_groups.for_scheduler(connection, uuid))
    assert SelectEndpoint(database, make_conf()).select_many(None, specs=(add_server(database, group=group),)) == {}


def test_a_claim_that_is_refused_gives_everything_back(database: Database) -> None:
    add_host(database, 'one')
    scheduler, other = (SelectEndpoint(database, make_conf(refresh_interval=3600.0)) for _ in range(2))
    scheduler.states.refresh()
    assert len(other.select_many(None, specs=servers(database, 3))) == 3
    late = servers(database, 2)
    assert scheduler.select_many(None, specs=late) == {}  # it believed in room for two
    assert scheduler.select(None, spec=late[0]).host == 'one'


def test_many_at_once_and_two_schedulers(database: Database) -> None:
    for number in range(4):
        add_host(database, f'h{number}')
    endpoints = [SelectEndpoint(database, make_conf()) for _ in range(2)]
    groups = [servers(database, 3) for _ in range(6)]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda number: endpoints[number % 2].select_many(None, specs=groups[number]), range(6)))
    assert any(len(each) == 3 for each in found)
    assert sum(row.running_vms for row in database.read(hosts.all_hosts)) == sum(len(each) for each in found)
