"""What claims of each purpose promise on every database: how a server moves, and what is released where.

``operation`` 7 is the one that moves the server; it is shown by the server's row.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from compute import exception
from compute.db import claims, claims_audit, instances, server_groups
from compute.db.session import Database
from compute.objects.instance import Instance
from compute.objects.request_spec import CURRENT, INCOMING, OUTGOING, RequestSpec
from tests.contract.db.claims_contract import assert_sound, at_once, claim, make_group, release, used
from tests.contract.db.stores import add_host, add_server, flavor

NOTHING = (0, 0, 0, 0)
OLD, NEW = (1, 512, 1, 1), (2, 1024, 2, 1)


def server(database: Database, spec: RequestSpec) -> Instance:
    return database.read(lambda connection: instances.get(connection, spec.instance_uuid))


def held(database: Database, spec: RequestSpec) -> dict[str, int]:
    """Return the hosts of a server's claims by purpose."""
    found = database.read(lambda connection: claims.by_purpose(connection, spec.instance_uuid))
    return {purpose: row.host_id for purpose, row in found.items()}


def show(database: Database, spec: RequestSpec, **values: Any) -> None:
    """Change the server's row."""
    database.transaction(lambda connection: instances.update(connection, spec.instance_uuid, **values))


def settle(database: Database, spec: RequestSpec, *, outgoing: bool = True) -> None:
    """Settle, and let the operation end: the server waits for confirmation, or is what it was."""
    def write(connection: Any) -> None:
        claims.settle(connection, spec.instance_uuid, outgoing=outgoing)
        instances.update(connection, spec.instance_uuid, operation_id=None,
                         vm_state='resized' if outgoing else 'active')
    database.transaction(write)


def settle_back(database: Database, spec: RequestSpec) -> None:
    database.transaction(lambda connection: claims.settle_back(connection, spec.instance_uuid))
    show(database, spec, vm_state='active')


def running(database: Database, place: int, **more: Any) -> RequestSpec:
    """Add a server that runs on a host and that operation 7 moves; return what is asked for its new place."""
    spec = add_server(database, **more)
    assert claim(database, spec, place)
    show(database, spec, vm_state='active', operation_id=7)
    return dataclasses.replace(spec, flavor=flavor(2, 1024, 2), purpose=INCOMING, operation_id=7)


class PurposesContract:
    """Two hosts, and a server on the first."""

    def test_an_incoming_claim_charges_its_host_and_does_not_move_the_server(self, database: Database) -> None:
        first, second = add_host(database, 'one'), add_host(database, 'two')
        spec = running(database, first)
        before = server(database, spec)
        assert claim(database, spec, second)
        assert (used(database, first), used(database, second)) == (OLD, (*NEW[:3], 0)), 'nothing runs there yet'
        assert dataclasses.replace(server(database, spec), updated_at=before.updated_at) == before
        assert held(database, spec) == {CURRENT: first, INCOMING: second}
        assert database.read(lambda connection: claims.hosts_of(connection, spec.instance_uuid)) == ['one', 'two']
        assert_sound(database)

    def test_a_new_size_on_the_same_host_is_charged_beside_the_old_one(self, database: Database) -> None:
        place = add_host(database, 'one')
        spec = running(database, place)
        assert claim(database, spec, place)
        assert used(database, place) == (3, 1536, 3, 1), 'one server, two sizes'
        assert_sound(database)
        settle(database, spec)
        assert used(database, place) == (3, 1536, 3, 1) and server(database, spec).host == 'one'
        assert_sound(database)
        assert release(database, spec, OUTGOING)
        assert used(database, place) == NEW
        assert_sound(database)

    def test_what_does_not_fit_beside_the_old_size_is_refused(self, database: Database) -> None:
        place = add_host(database, 'one', vcpus=2)
        spec = running(database, place)
        assert not claim(database, spec, place)
        assert used(database, place) == OLD and held(database, spec) == {CURRENT: place}

    def test_the_same_again_is_no_second_claim_and_another_host_is_refused(self, database: Database) -> None:
        first, second, third = (add_host(database, name) for name in ('one', 'two', 'three'))
        spec = running(database, first)
        assert claim(database, spec, second) and claim(database, spec, second)
        assert used(database, second) == (*NEW[:3], 0)
        with pytest.raises(exception.Conflict) as caught:
            claim(database, spec, third)
        assert caught.value.code == 'already_claimed' and caught.value.details == {'host': 'two'}
        assert 'incoming' in caught.value.message and used(database, third) == NOTHING

    def test_an_incoming_claim_of_an_operation_that_ended_is_refused(self, database: Database) -> None:
        first, second = add_host(database, 'one'), add_host(database, 'two')
        spec = running(database, first)
        show(database, spec, operation_id=8)
        with pytest.raises(exception.NotFound) as caught:
            claim(database, spec, second)
        assert caught.value.code == 'operation_ended' and used(database, second) == NOTHING

    def test_settled_the_server_is_at_its_new_place_and_keeps_the_old_one(self, database: Database) -> None:
        first = add_host(database, 'one')
        second = add_host(database, 'two', told={'availability_zone': 'east'})
        spec = running(database, first)
        claim(database, spec, second)
        settle(database, spec)
        assert held(database, spec) == {CURRENT: second, OUTGOING: first}
        found = server(database, spec)
        assert (found.host, found.node, found.availability_zone) == ('two', 'two', 'east')
        assert (used(database, first), used(database, second)) == ((*OLD[:3], 0), NEW), 'it runs at its new place'
        assert_sound(database)

    def test_confirmed_the_old_place_is_free(self, database: Database) -> None:
        first, second = add_host(database, 'one'), add_host(database, 'two')
        spec = running(database, first)
        claim(database, spec, second)
        settle(database, spec)
        assert release(database, spec, OUTGOING) and not release(database, spec, OUTGOING)
        show(database, spec, vm_state='active')
        assert (used(database, first), used(database, second)) == (NOTHING, NEW)
        assert held(database, spec) == {CURRENT: second} and server(database, spec).host == 'two'
        assert_sound(database)

    def test_settled_back_the_server_is_where_it_was(self, database: Database) -> None:
        first, second = add_host(database, 'one'), add_host(database, 'two')
        spec = running(database, first)
        claim(database, spec, second)
        settle(database, spec)
        settle_back(database, spec)
        assert (used(database, first), used(database, second)) == (OLD, NOTHING)
        assert held(database, spec) == {CURRENT: first} and server(database, spec).host == 'one'
        assert_sound(database)
        assert database.read(claims_audit.missing) == []

    def test_settled_without_a_way_back_the_old_place_is_free_at_once(self, database: Database) -> None:
        first, second = add_host(database, 'one'), add_host(database, 'two')
        spec = running(database, first)
        claim(database, spec, second)
        settle(database, spec, outgoing=False)
        assert (used(database, first), used(database, second)) == (NOTHING, NEW)
        assert held(database, spec) == {CURRENT: second}
        assert_sound(database)

    def test_undone_the_new_place_is_free(self, database: Database) -> None:
        first, second = add_host(database, 'one'), add_host(database, 'two')
        spec = running(database, first)
        claim(database, spec, second)
        assert release(database, spec, INCOMING) and not release(database, spec, INCOMING)
        assert (used(database, first), used(database, second)) == (OLD, NOTHING)
        assert server(database, spec).host == 'one'
        assert_sound(database)

    @pytest.mark.parametrize('settled', [False, True])
    def test_a_release_without_a_purpose_frees_all(self, database: Database, settled: bool) -> None:
        first, second = add_host(database, 'one'), add_host(database, 'two')
        spec = running(database, first)
        claim(database, spec, second)
        if settled:
            settle(database, spec)
        assert release(database, spec) and not release(database, spec)
        assert (used(database, first), used(database, second)) == (NOTHING, NOTHING) and held(database, spec) == {}

    def test_what_cannot_be_settled_changes_nothing(self, database: Database) -> None:
        first, second, third = (add_host(database, name) for name in ('one', 'two', 'three'))
        spec = running(database, first)
        for function in (settle, settle_back):  # there is no incoming claim, and no outgoing one
            with pytest.raises(exception.Stale):
                function(database, spec)
        claim(database, spec, second)
        settle(database, spec)
        show(database, spec, operation_id=7)
        assert claim(database, spec, third)
        before = held(database, spec)
        with pytest.raises(exception.Stale) as caught:  # the last move is not confirmed
            settle(database, spec)
        assert 'incoming' in caught.value.message and 'outgoing' in caught.value.message
        assert held(database, spec) == before == {CURRENT: second, OUTGOING: first, INCOMING: third}
        assert server(database, spec).host == 'two'
        assert_sound(database)

    def test_a_server_without_a_current_claim_is_not_settled(self, database: Database) -> None:
        """An audit finds it, and claims what is missing."""
        first, second = add_host(database, 'one'), add_host(database, 'two')
        spec = running(database, first)
        claim(database, spec, second)
        release(database, spec, CURRENT)
        with pytest.raises(exception.Stale):
            settle(database, spec)
        assert held(database, spec) == {INCOMING: second}

    def test_incoming_claims_fill_a_host_and_not_more(self, database: Database) -> None:
        first, second = add_host(database, 'one', vcpus=50, memory_mb=100000), add_host(database, 'two', vcpus=7)
        specs = [running(database, first) for _ in range(8)]
        assert at_once(claim, [(database, spec, second) for spec in specs]).count(True) == 3
        assert used(database, second) == (6, 3072, 6, 0)
        assert_sound(database)

    def test_servers_that_change_places_at_once_leave_the_books_even(self, database: Database) -> None:
        places = [add_host(database, name, vcpus=50, memory_mb=100000) for name in ('one', 'two')]
        specs = [running(database, places[number % 2]) for number in range(8)]
        for number, spec in enumerate(specs):
            assert claim(database, spec, places[1 - number % 2])
        at_once(settle, [(database, spec) for spec in specs])
        assert [server(database, spec).host for spec in specs] == ['two', 'one'] * 4
        at_once(settle_back, [(database, spec) for spec in specs])
        assert [used(database, place) for place in places] == [(4, 2048, 4, 4)] * 2
        assert_sound(database)

    # -- seats --

    def test_a_server_on_its_way_has_a_seat_at_both_ends(self, database: Database) -> None:
        places = {name: add_host(database, name) for name in ('one', 'two')}
        group = make_group(database, 'anti-affinity')
        spec, other = running(database, places['one'], group=group), add_server(database, group=group)

        def free() -> list[str]:
            found = []
            for name, place in places.items():
                if claim(database, other, place):
                    found.append(name)
                    release(database, other)
                    show(database, other, host=None, node=None)
            return found
        assert free() == ['two']
        assert claim(database, spec, places['two']) and free() == []
        settle(database, spec)
        assert free() == [], 'it may come back'
        release(database, spec, OUTGOING)
        assert free() == ['one']
        assert_sound(database)
        assert database.read(claims_audit.missing) == []

    @pytest.mark.parametrize('undone', [True, False], ids=['undone', 'reverted'])
    def test_the_seat_of_the_new_place_goes_with_its_claim(self, database: Database, undone: bool) -> None:
        places = {name: add_host(database, name) for name in ('one', 'two')}
        group = make_group(database, 'anti-affinity')
        spec, other = running(database, places['one'], group=group), add_server(database, group=group)
        assert claim(database, spec, places['two'])
        if undone:
            release(database, spec, INCOMING)
        else:
            settle(database, spec)
            settle_back(database, spec)
        assert not claim(database, other, places['one']) and claim(database, other, places['two'])
        assert_sound(database)
        assert database.read(claims_audit.missing) == []

    def test_a_new_size_on_the_same_host_needs_no_second_seat(self, database: Database) -> None:
        place = add_host(database, 'one')
        group = make_group(database, 'anti-affinity')
        spec = running(database, place, group=group)
        assert claim(database, spec, place)
        settle(database, spec)
        assert release(database, spec, OUTGOING)
        assert not claim(database, add_server(database, group=group), place), 'its seat is still taken'
        assert_sound(database)
        assert database.read(claims_audit.missing) == []

    def test_the_only_member_of_an_affinity_group_may_go_anywhere(self, database: Database) -> None:
        places = {name: add_host(database, name) for name in ('one', 'two')}
        group = make_group(database, 'affinity')
        spec = running(database, places['one'], group=group)
        assert claim(database, spec, places['two']), 'where it is itself does not count'
        release(database, spec, INCOMING)
        assert claim(database, add_server(database, group=group), places['one'])
        assert not claim(database, spec, places['two'])
        assert_sound(database)

    def test_where_a_member_is_now_does_not_count_for_its_move(self, database: Database) -> None:
        place = add_host(database, 'one')
        group = make_group(database, 'anti-affinity')
        spec, other = running(database, place, group=group), running(database, add_host(database, 'two'), group=group)

        def members(without: str) -> tuple[str, ...]:
            found = database.read(lambda connection: server_groups.for_scheduler(connection, group.uuid, without))
            assert found is not None
            return found.member_hosts
        assert members('') == ('one', 'two')
        assert (members(spec.instance_uuid), members(other.instance_uuid)) == (('two',), ('one',))

    # -- audit --

    @pytest.mark.parametrize('purpose', [INCOMING, OUTGOING])
    def test_a_claim_that_nothing_explains_is_found_and_freed(self, database: Database, purpose: str) -> None:
        first, second = add_host(database, 'one'), add_host(database, 'two')
        spec = running(database, first)
        claim(database, spec, second)
        if purpose == OUTGOING:
            settle(database, spec)
        show(database, spec, vm_state='active', operation_id=None)
        found, = database.read(claims_audit.audit)
        place = {INCOMING: second, OUTGOING: first}[purpose]
        assert (found.kind, found.purpose, found.host_id, found.busy) == ('unexplained', purpose, place, False)
        assert found.instance_uuid == spec.instance_uuid and purpose in found.message

        def free(which: str) -> bool:
            return database.transaction(lambda connection: claims_audit.free(connection, spec.instance_uuid, which))
        assert not free(CURRENT) and free(purpose) and not free(purpose)
        assert held(database, spec) == {CURRENT: {INCOMING: first, OUTGOING: second}[purpose]}
        assert_sound(database)

    def test_an_incoming_claim_is_explained_by_its_own_operation_only(self, database: Database) -> None:
        first, second = add_host(database, 'one'), add_host(database, 'two')
        spec = running(database, first)
        claim(database, spec, second)
        assert_sound(database)
        show(database, spec, operation_id=8)
        assert [each.kind for each in database.read(claims_audit.audit)] == ['unexplained']

    @pytest.mark.parametrize('shown', [{'vm_state': 'resized'}, {'vm_state': 'active', 'operation_id': 9}])
    def test_an_outgoing_claim_is_explained_by_a_resize_or_an_open_operation(
            self, database: Database, shown: dict[str, Any]) -> None:
        first, second = add_host(database, 'one'), add_host(database, 'two')
        spec = running(database, first)
        claim(database, spec, second)
        settle(database, spec)
        show(database, spec, **shown)
        assert_sound(database)
        assert not database.transaction(lambda connection: claims_audit.free(
            connection, spec.instance_uuid, OUTGOING)), 'it is explained'

    def test_a_host_is_counted_anew_with_what_is_only_on_its_way(self, database: Database) -> None:
        first, second = add_host(database, 'one'), add_host(database, 'two')
        spec = running(database, first)
        claim(database, spec, second)
        assert database.transaction(lambda connection: claims_audit.recount(connection, 'two')) == {}
        settle(database, spec)
        for name in ('one', 'two'):
            assert database.transaction(lambda connection, name=name: claims_audit.recount(connection, name)) == {}
