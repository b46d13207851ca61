"""Whole selections on SQLite: races inside one scheduler and between two, groups, repeats, refusals."""

from __future__ import annotations

import concurrent.futures
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

from compute import exception
from compute.db import claims, claims_audit, hosts, instances, server_groups, services
from compute.db.session import Database
from compute.objects.request_spec import RequestSpec, Selection
from compute.scheduler.select import SelectEndpoint
from tests.contract.db.stores import add_host, add_server, flavor, open_store
from tests.unit.scheduler.making import make_conf


@pytest.fixture
def database(tmp_path: pathlib.Path) -> Iterator[Database]:
    store = open_store(f'sqlite:///{tmp_path}/store.sqlite')
    yield store
    store.dispose()


def endpoint(database: Database, **options: Any) -> SelectEndpoint:
    return SelectEndpoint(database, make_conf(**options))


def all_at_once(endpoints: list[SelectEndpoint], specs: list[RequestSpec]) -> list[Selection | exception.NoValidHost]:
    def one(number: int) -> Selection | exception.NoValidHost:
        try:
            return endpoints[number % len(endpoints)].select(None, spec=specs[number])
        except exception.NoValidHost as error:
            return error
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        return list(pool.map(one, range(len(specs))))


def placed(results: list[Selection | exception.NoValidHost]) -> list[str]:
    return [result.host for result in results if isinstance(result, Selection)]


def make_group(database: Database, policy: str) -> Any:
    uuid = database.transaction(lambda connection: server_groups.insert(
        connection, project_id='p', user_id='u', name='g', policy=policy))
    return database.read(lambda connection: server_groups.for_scheduler(connection, uuid))


def test_a_selection_names_host_and_alternates(database: Database) -> None:
    ids = {name: add_host(database, name, memory_mb=size) for name, size in (
        ('small', 1024), ('large', 8192), ('middle', 4096), ('tiny', 256))}
    spec = add_server(database)
    selection = endpoint(database).select(None, spec=spec)
    assert (selection.host, selection.host_id, selection.alternates) == ('large', ids['large'], ('middle', 'small'))
    assert selection.considered == 4
    assert [(each.host, each.filter) for each in selection.rejections] == [('tiny', 'RamFilter')]
    server = database.read(lambda connection: instances.get(connection, spec.instance_uuid))
    assert (server.host, server.node) == ('large', 'large')


def test_one_attempt_means_no_alternates(database: Database) -> None:
    for name in ('one', 'two'):
        add_host(database, name)
    assert endpoint(database, max_attempts=1).select(None, spec=add_server(database)).alternates == ()


def test_a_host_that_came_a_moment_ago_is_seen(database: Database) -> None:
    scheduler = endpoint(database, refresh_interval=3600.0)
    with pytest.raises(exception.NoValidHost, match='no hypervisor host at all'):
        scheduler.select(None, spec=add_server(database))
    add_host(database, 'one')
    assert scheduler.select(None, spec=add_server(database)).host == 'one'


def test_a_host_disabled_a_moment_ago_is_not_used(database: Database) -> None:
    add_host(database, 'one', vcpus=64, memory_mb=65536, disk_gb=1000)
    add_host(database, 'two')
    scheduler = endpoint(database, refresh_interval=3600.0)
    assert scheduler.select(None, spec=add_server(database)).host == 'one'
    found = database.read(lambda connection: hosts.find(connection, 'one'))
    assert found is not None
    database.transaction(lambda connection: services.update(connection, found.service_id, disabled=True))
    selection = scheduler.select(None, spec=add_server(database))
    assert selection.host == 'two'
    assert [each.reason for each in selection.rejections] == ['is disabled']


def test_a_host_that_was_enabled_again_is_used(database: Database) -> None:
    add_host(database, 'one')
    found = database.read(lambda connection: hosts.find(connection, 'one'))
    assert found is not None
    scheduler = endpoint(database, refresh_interval=3600.0)
    database.transaction(lambda connection: services.update(connection, found.service_id, disabled=True))
    with pytest.raises(exception.NoValidHost, match='0 of 1 host fits: 1 is disabled'):
        scheduler.select(None, spec=add_server(database))
    database.transaction(lambda connection: services.update(connection, found.service_id, disabled=False))
    assert scheduler.select(None, spec=add_server(database)).host == 'one'


def test_room_that_was_given_back_is_used(database: Database) -> None:
    add_host(database, 'one', vcpus=1)
    scheduler = endpoint(database, refresh_interval=3600.0)
    first = add_server(database)
    scheduler.select(None, spec=first)
    with pytest.raises(exception.NoValidHost):
        scheduler.select(None, spec=add_server(database))
    database.transaction(lambda connection: claims.release(connection, first.instance_uuid))
    assert scheduler.select(None, spec=add_server(database)).host == 'one'


def test_parallel_requests_spread_and_fill_exactly(database: Database) -> None:
    for number in range(6):
        add_host(database, f'h{number}', vcpus=2)
    results = all_at_once([endpoint(database)], [add_server(database) for _ in range(20)])
    assert len(placed(results)) == 12
    assert sorted(placed(results)) == sorted([f'h{number}' for number in range(6)] * 2)
    refused = [result for result in results if isinstance(result, exception.NoValidHost)]
    assert all('0 of 6 hosts fit' in error.message for error in refused)
    assert database.read(claims_audit.audit) == []


def test_parallel_requests_do_not_run_for_the_same_host(database: Database) -> None:
    for number in range(8):
        add_host(database, f'h{number}')
    results = all_at_once([endpoint(database)], [add_server(database) for _ in range(8)])
    assert sorted(placed(results)) == [f'h{number}' for number in range(8)]


def test_schedulers_that_do_not_see_each_other_fill_exactly(database: Database) -> None:
    for number in range(4):
        add_host(database, f'h{number}', vcpus=3)
    schedulers = [endpoint(database, refresh_interval=3600.0) for _ in range(3)]
    results = all_at_once(schedulers, [add_server(database) for _ in range(16)])
    assert len(placed(results)) == 12
    assert database.read(claims_audit.audit) == []


def test_in_memory_figures_agree_with_the_store_after_a_storm(database: Database) -> None:
    for number in range(4):
        add_host(database, f'h{number}', vcpus=50, memory_mb=100000)
    schedulers = [endpoint(database, refresh_interval=0.001) for _ in range(2)]
    all_at_once(schedulers, [add_server(database) for _ in range(60)])
    for scheduler in schedulers:
        scheduler.states.refresh(force=True)
        free = {state.id: (state.vcpus_free, state.memory_mb_free) for state in scheduler.states.all()}
        stored = {each.id: (50 - each.vcpus_used, 100000 - each.memory_mb_used)
                  for each in database.read(hosts.all_hosts)}
        assert free == stored


@pytest.mark.parametrize('count', [1, 2])
def test_anti_affinity_holds_with_stale_members(database: Database, count: int) -> None:
    for number in range(5):
        add_host(database, f'h{number}', memory_mb=65536 if number == 0 else 4096, vcpus=50)
    group = make_group(database, 'anti-affinity')
    schedulers = [endpoint(database) for _ in range(count)]
    results = all_at_once(schedulers, [add_server(database, group=group) for _ in range(7)])
    assert sorted(placed(results)) == [f'h{number}' for number in range(5)]
    refused = next(result for result in results if isinstance(result, exception.NoValidHost))
    assert refused.message == ('No valid host was found. 0 of 5 hosts fit: 5 have servers of the anti-affinity group '
                               'already (at most 1 on each)')


@pytest.mark.parametrize('count', [1, 2])
def test_affinity_holds_with_stale_members(database: Database, count: int) -> None:
    for number in range(5):
        add_host(database, f'h{number}', vcpus=50, memory_mb=65536)
    group = make_group(database, 'affinity')
    schedulers = [endpoint(database) for _ in range(count)]
    results = all_at_once(schedulers, [add_server(database, group=group) for _ in range(10)])
    assert len(placed(results)) == 10
    assert len(set(placed(results))) == 1


def test_the_same_request_again_gets_the_same_host(database: Database) -> None:
    for name in ('one', 'two'):
        add_host(database, name)
    scheduler = endpoint(database)
    spec = add_server(database)
    first = scheduler.select(None, spec=spec)
    again = [scheduler.select(None, spec=spec).host for _ in range(3)]
    assert set(again) == {first.host}
    assert sum(each.running_vms for each in database.read(hosts.all_hosts)) == 1
    scheduler.states.refresh(force=True)
    assert sorted(state.vcpus_free for state in scheduler.states.all()) == [3, 4]


def test_a_claim_on_a_host_that_is_excluded_is_a_conflict(database: Database) -> None:
    for name in ('one', 'two'):
        add_host(database, name)
    scheduler = endpoint(database)
    spec = add_server(database)
    first = scheduler.select(None, spec=spec)
    again = RequestSpec(instance_uuid=spec.instance_uuid, flavor=spec.flavor, excluded=(first.host,))
    with pytest.raises(exception.Conflict) as caught:
        scheduler.select(None, spec=again)
    assert caught.value.code == 'already_claimed'


def test_a_server_deleted_meanwhile_is_said_so(database: Database) -> None:
    add_host(database, 'one')
    scheduler = endpoint(database)
    spec = add_server(database)
    database.transaction(lambda connection: instances.update(connection, spec.instance_uuid, deleted=True))
    with pytest.raises(exception.NotFound) as caught:
        scheduler.select(None, spec=spec)
    assert caught.value.code == 'instance_deleted'
    assert scheduler.states.all()[0].vcpus_free == 4, 'what was assumed is given back'


def test_a_removed_host_is_forgotten(database: Database) -> None:
    add_host(database, 'one', memory_mb=65536)
    add_host(database, 'two')
    scheduler = endpoint(database, refresh_interval=3600.0)
    scheduler.states.refresh()
    database.transaction(lambda connection: hosts.delete(connection, 'one'))
    assert scheduler.select(None, spec=add_server(database)).host == 'two'
    assert [state.host for state in scheduler.states.all()] == ['two']


def test_builds_under_way_are_counted(database: Database) -> None:
    add_host(database, 'one', vcpus=50)
    scheduler = endpoint(database, enabled_filters=['IoOpsFilter'], max_io_ops_per_host=2, refresh_interval=3600.0)
    scheduler.states.refresh()
    state = scheduler.states.all()[0]
    scheduler.select(None, spec=add_server(database))
    assert state.io_ops == 1


def test_a_big_refusal_is_bounded(database: Database) -> None:
    for number in range(7):
        add_host(database, f'h{number}')
    with pytest.raises(exception.NoValidHost) as caught:
        endpoint(database, max_reasons=3).select(None, spec=add_server(database, flavor(memory_mb=10 ** 6)))
    assert len(caught.value.details['rejections']) == 3
    assert caught.value.details['counts'] == {'RamFilter': 7}


@pytest.mark.parametrize('schedulers', [1, 2])
@pytest.mark.parametrize(('policy', 'spread'), [('soft-affinity', [8]), ('soft-anti-affinity', [2, 2, 1, 1, 1, 1])])
def test_a_soft_policy_decides_also_among_servers_placed_at_once(database: Database, policy: str, spread: list[int],
                                                                 schedulers: int) -> None:
    for number in range(6):
        add_host(database, f'h{number}', vcpus=64, memory_mb=16384 + number, disk_gb=1000)
    group = make_group(database, policy)
    specs = [add_server(database, group=group) for _ in range(8)]
    hosts_of = placed(all_at_once([endpoint(database) for _ in range(schedulers)], specs))
    assert sorted((hosts_of.count(host) for host in set(hosts_of)), reverse=True) == spread
    assert database.read(claims_audit.audit) == []


def test_an_operator_may_let_other_weights_outweigh_a_soft_policy(database: Database) -> None:
    for number in range(6):
        add_host(database, f'h{number}', vcpus=64, memory_mb=16384, disk_gb=1000)
    group = make_group(database, 'soft-affinity')
    scheduler = endpoint(database, soft_affinity_weight_multiplier=0.0)
    hosts_of = {scheduler.select(None, spec=add_server(database, group=group)).host for _ in range(6)}
    assert len(hosts_of) == 6
