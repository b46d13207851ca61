"""What claims promise on every database. A subclass gives the ``database`` fixture: an empty store."""

from __future__ import annotations

import concurrent.futures
import uuid
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import sqlalchemy as sa

from compute import exception
from compute.db import claims, claims_audit, hosts, instances, server_groups, services
from compute.db.session import Database
from compute.db.tables import claims as claims_table
from compute.db.tables import group_seats
from compute.db.tables import hosts as hosts_table
from compute.objects.host import Host
from compute.objects.request_spec import CURRENT, INCOMING, OUTGOING, RequestSpec, ServerGroup
from tests.contract.db.stores import add_host, add_server, flavor


def claim(database: Database, spec: RequestSpec, host_id: int) -> bool:
    return database.transaction(lambda connection: claims.claim(connection, spec, host_id))


def release(database: Database, spec: RequestSpec, purpose: str | None = None) -> bool:
    return database.transaction(lambda connection: claims.release(connection, spec.instance_uuid, purpose))


def host(database: Database, host_id: int) -> Host:
    return database.read(lambda connection: hosts.get(connection, host_id))


def used(database: Database, host_id: int) -> tuple[int, ...]:
    found = host(database, host_id)
    return found.vcpus_used, found.memory_mb_used, found.disk_gb_used, found.running_vms


def at_once(function: Callable[..., Any], jobs: Iterable[Any]) -> list[Any]:
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda job: function(*job), jobs))


def make_group(database: Database, policy: str, rules: dict[str, int] | None = None) -> ServerGroup:
    identifier = database.transaction(lambda connection: server_groups.insert(
        connection, project_id='p', user_id='u', name='g', policy=policy, rules=rules))
    found = database.read(lambda connection: server_groups.for_scheduler(connection, identifier))
    assert found is not None
    return found


def assert_sound(database: Database) -> None:
    assert database.read(claims_audit.audit) == []


class ClaimsContract:
    """One host of 4 vCPUs, 4096 MB and 100 GB unless a test adds more."""

    def test_a_claim_charges_the_host_and_places_the_server(self, database: Database) -> None:
        place = add_host(database, 'one')
        before = host(database, place).generation
        spec = add_server(database, flavor(2, 1024, 10, swap_mb=100))
        assert claim(database, spec, place)
        assert used(database, place) == (2, 1024, 11, 1)
        assert host(database, place).generation == before + 1
        server = database.read(lambda connection: instances.get(connection, spec.instance_uuid))
        assert (server.host, server.node, server.availability_zone) == ('one', 'one', 'nova')
        assert_sound(database)

    @pytest.mark.parametrize('size', [(5, 1, 1), (1, 4097, 1), (1, 1, 101)])
    def test_what_does_not_fit_changes_nothing(self, database: Database, size: tuple[int, int, int]) -> None:
        place = add_host(database, 'one')
        before = host(database, place)
        spec = add_server(database, flavor(*size))
        assert not claim(database, spec, place)
        assert host(database, place) == before
        assert database.read(lambda connection: instances.get(connection, spec.instance_uuid)).host is None
        assert_sound(database)

    def test_the_last_bit_can_be_claimed(self, database: Database) -> None:
        place = add_host(database, 'one')
        assert claim(database, add_server(database, flavor(4, 4096, 100)), place)
        assert not claim(database, add_server(database, flavor(1, 0, 0)), place)
        assert claim(database, add_server(database, flavor(0, 0, 0)), place), 'nothing asked, nothing lacking'

    def test_ratio_and_reserve_make_the_limit(self, database: Database) -> None:
        place = add_host(database, 'one', vcpus=4, memory_mb=1000,
                         told={'cpu_allocation_ratio': 2.5, 'reserved_memory_mb': 100, 'ram_allocation_ratio': 1.1})
        assert not claim(database, add_server(database, flavor(11, 1, 1)), place)
        assert not claim(database, add_server(database, flavor(1, 991, 1)), place)
        assert claim(database, add_server(database, flavor(10, 990, 1)), place)

    def test_a_host_that_shrank_takes_what_needs_none_of_it(self, database: Database) -> None:
        place = add_host(database, 'one')
        assert claim(database, add_server(database, flavor(1, 512, 50)), place)
        found = host(database, place)
        add_host(database, 'one', told={'node_uuid': found.uuid}, disk_gb=10)
        assert claim(database, add_server(database, flavor(1, 512, 0)), place)
        assert not claim(database, add_server(database, flavor(1, 512, 1)), place)

    def test_release_gives_back_once(self, database: Database) -> None:
        place = add_host(database, 'one')
        spec = add_server(database, flavor(2, 1024, 10))
        claim(database, spec, place)
        assert release(database, spec)
        assert used(database, place) == (0, 0, 0, 0)
        assert not release(database, spec)
        assert used(database, place) == (0, 0, 0, 0)

    def test_release_of_one_purpose_leaves_the_others(self, database: Database) -> None:
        place = add_host(database, 'one')
        spec = add_server(database)
        claim(database, spec, place)
        for purpose in (INCOMING, OUTGOING):
            assert not release(database, spec, purpose)
        assert used(database, place)[3] == 1
        assert release(database, spec, CURRENT)

    def test_releasing_many_times_at_once_gives_back_once(self, database: Database) -> None:
        place = add_host(database, 'one')
        specs = [add_server(database) for _ in range(3)]
        for spec in specs:
            claim(database, spec, place)
        gave = at_once(release, [(database, specs[0])] * 8)
        assert gave.count(True) == 1
        assert used(database, place)[3] == 2
        assert_sound(database)

    def test_the_same_host_again_is_no_second_claim(self, database: Database) -> None:
        place = add_host(database, 'one')
        spec = add_server(database)
        assert claim(database, spec, place)
        assert claim(database, spec, place)
        assert used(database, place)[3] == 1

    def test_another_host_is_refused_while_the_claim_stands(self, database: Database) -> None:
        first, second = add_host(database, 'one'), add_host(database, 'two')
        spec = add_server(database)
        claim(database, spec, first)
        with pytest.raises(exception.Conflict) as caught:
            claim(database, spec, second)
        assert caught.value.code == 'already_claimed'
        assert 'one' in caught.value.message
        assert used(database, second) == (0, 0, 0, 0)
        server = database.read(lambda connection: instances.get(connection, spec.instance_uuid))
        assert server.host == 'one', 'the refused claim is rolled back'
        release(database, spec)
        assert claim(database, spec, second)
        assert_sound(database)

    def test_a_deleted_server_gets_nothing(self, database: Database) -> None:
        place = add_host(database, 'one')
        spec = add_server(database)
        database.transaction(lambda connection: instances.update(connection, spec.instance_uuid, deleted=True))
        with pytest.raises(exception.NotFound) as caught:
            claim(database, spec, place)
        assert caught.value.code == 'instance_deleted'
        assert used(database, place) == (0, 0, 0, 0)

    @pytest.mark.parametrize('state', [{'disabled': True}, {'forced_down': True}])
    def test_a_disabled_host_refuses(self, database: Database, state: dict[str, bool]) -> None:
        place = add_host(database, 'one')
        service = host(database, place).service_id
        database.transaction(lambda connection: services.update(connection, service, **state))
        assert not claim(database, add_server(database), place)

    def test_a_host_that_is_gone_refuses(self, database: Database) -> None:
        assert not claim(database, add_server(database), 4711)

    def test_parallel_claims_fill_the_host_and_not_more(self, database: Database) -> None:
        place = add_host(database, 'one', vcpus=7, memory_mb=100000)
        specs = [add_server(database) for _ in range(24)]
        got = at_once(claim, [(database, spec, place) for spec in specs])
        assert got.count(True) == 7
        assert used(database, place) == (7, 7 * 512, 7, 7)
        assert_sound(database)

    def test_parallel_claims_and_releases_leave_the_books_even(self, database: Database) -> None:
        places = [add_host(database, name, vcpus=3) for name in ('one', 'two')]
        specs = [add_server(database) for _ in range(16)]

        def come_and_go(spec: RequestSpec, number: int) -> None:
            for turn in range(3):
                if claim(database, spec, places[(number + turn) % 2]) and (number + turn) % 3:
                    release(database, spec)
                else:
                    release(database, spec)
        at_once(come_and_go, [(spec, number) for number, spec in enumerate(specs)])
        assert_sound(database)
        assert [used(database, place) for place in places] == [(0, 0, 0, 0)] * 2

    def test_one_server_claimed_at_two_hosts_at_once_gets_one(self, database: Database) -> None:
        places = [add_host(database, f'h{number}') for number in range(4)]
        spec = add_server(database)

        def attempt(place: int) -> bool:
            try:
                return claim(database, spec, place)
            except exception.Conflict:
                return False
        assert at_once(attempt, [(place,) for place in places]).count(True) == 1
        assert sum(used(database, place)[3] for place in places) == 1
        assert_sound(database)

    def test_anti_affinity_has_one_seat_per_host(self, database: Database) -> None:
        places = [add_host(database, f'h{number}', vcpus=50) for number in range(2)]
        group = make_group(database, 'anti-affinity')
        specs = [add_server(database, group=group) for _ in range(12)]
        got = at_once(claim, [(database, spec, places[number % 2]) for number, spec in enumerate(specs)])
        assert got.count(True) == 2
        assert [used(database, place)[3] for place in places] == [1, 1]
        assert_sound(database)

    def test_anti_affinity_with_more_seats(self, database: Database) -> None:
        place = add_host(database, 'one', vcpus=50, memory_mb=100000)
        group = make_group(database, 'anti-affinity', {'max_server_per_host': 3})
        specs = [add_server(database, group=group) for _ in range(10)]
        got = at_once(claim, [(database, spec, place) for spec in specs])
        assert got.count(True) == 3
        seated = [spec for spec, one in zip(specs, got, strict=True) if one]
        release(database, seated[1])
        assert claim(database, next(spec for spec, one in zip(specs, got, strict=True) if not one), place)
        assert_sound(database)

    def test_affinity_keeps_a_group_together(self, database: Database) -> None:
        places = [add_host(database, f'h{number}', vcpus=50) for number in range(4)]
        group = make_group(database, 'affinity')
        specs = [add_server(database, group=group) for _ in range(12)]
        got = at_once(claim, [(database, spec, places[number % 4]) for number, spec in enumerate(specs)])
        assert got.count(True) >= 1
        assert sum(1 for place in places if used(database, place)[3]) == 1
        now = database.read(lambda connection: server_groups.for_scheduler(connection, group.uuid))
        assert now is not None and len(now.member_hosts) == got.count(True) and len(set(now.member_hosts)) == 1

    def test_soft_policies_only_note_where_members_are(self, database: Database) -> None:
        place = add_host(database, 'one', vcpus=50)
        group = make_group(database, 'soft-anti-affinity')
        specs = [add_server(database, group=group) for _ in range(6)]
        assert at_once(claim, [(database, spec, place) for spec in specs]) == [True] * 6
        now = database.read(lambda connection: server_groups.for_scheduler(connection, group.uuid))
        assert now is not None and now.member_hosts == ('one',) * 6

    @pytest.mark.parametrize(('policy', 'there', 'chosen', 'refused'), [
        ('soft-affinity', 'one', 'two', True), ('soft-affinity', 'one', 'one', False),
        ('soft-anti-affinity', 'one', 'one', True), ('soft-anti-affinity', 'one', 'two', False)])
    def test_a_choice_is_refused_when_members_of_a_soft_group_moved(
            self, database: Database, policy: str, there: str, chosen: str, refused: bool) -> None:
        places = {name: add_host(database, name) for name in ('one', 'two')}
        group = make_group(database, policy)
        first, second = add_server(database, group=group), add_server(database, group=group)
        assert claim(database, first, places[there])

        def take(members: dict[str, int] | None) -> object:
            return database.transaction(lambda connection: claims.take_or_refuse(
                connection, second, places[chosen], members))
        if refused:
            with pytest.raises(claims.MembersMoved):
                take({})
            assert used(database, places[chosen])[3] == (1 if chosen == there else 0)
        assert take({there: 1} if refused else {})
        assert_sound(database)

    def test_releasing_gives_the_seat_back(self, database: Database) -> None:
        place = add_host(database, 'one')
        group = make_group(database, 'anti-affinity')
        first, second = add_server(database, group=group), add_server(database, group=group)
        assert claim(database, first, place)
        assert not claim(database, second, place)
        release(database, first)
        assert claim(database, second, place)

    def test_audit_tells_what_is_wrong(self, database: Database) -> None:
        place = add_host(database, 'one')
        specs = [add_server(database) for _ in range(3)]
        for spec in specs:
            claim(database, spec, place)

        def spoil(connection: sa.Connection) -> None:
            connection.execute(hosts_table.update().values(memory_mb_used=99))
            instances.update(connection, specs[0].instance_uuid, deleted=True)
            instances.update(connection, specs[1].instance_uuid, host='two')
            connection.execute(claims_table.update().where(
                claims_table.c.instance_uuid == specs[2].instance_uuid).values(host_id=4711))
            connection.execute(group_seats.insert().values(
                group_uuid=str(uuid.uuid4()), host_id=place, seat=0, instance_uuid=str(uuid.uuid4())))
        database.transaction(spoil)
        found = database.read(claims_audit.audit)
        assert {(each.kind, each.resource) for each in found} == {
            ('usage', 'vcpus'), ('usage', 'memory_mb'), ('usage', 'disk_gb'), ('usage', 'running_vms'),
            ('no_instance', None), ('wrong_host', None), ('no_host', None), ('seat', None)}
        assert {each.kind for each in database.read(claims_audit.missing)} == {'no_claim'}
        memory = next(each for each in found if each.resource == 'memory_mb')
        assert (memory.recorded, memory.counted) == (99, 1024)
