"""What claims that are taken together promise on every database. A subclass gives the ``database`` fixture."""

from __future__ import annotations

import pytest

from compute.db import claims, instances, services
from compute.db.claims import Claimed, Refused
from compute.db.claims_together import take_together
from compute.db.session import Database
from compute.objects.request_spec import RequestSpec
from tests.contract.db.claims_contract import assert_sound, at_once, claim, host, make_group, used
from tests.contract.db.stores import add_host, add_server, flavor


def take(database: Database, *wanted: tuple[RequestSpec, int]) -> dict[int, Claimed] | None:
    try:
        return database.transaction(lambda connection: take_together(connection, wanted))
    except Refused:
        return None


def host_of(database: Database, spec: RequestSpec) -> str | None:
    return database.read(lambda connection: instances.get(connection, spec.instance_uuid)).host


class ClaimsTogetherContract:
    """Hosts of 4 vCPUs and 4096 MB; servers of one and 1024."""

    def test_all_are_claimed(self, database: Database) -> None:
        one, two = add_host(database, 'one'), add_host(database, 'two')
        specs = [add_server(database) for _ in range(3)]
        before = host(database, one).generation
        claimed = take(database, (specs[0], one), (specs[1], two), (specs[2], one))
        assert claimed is not None
        assert {key: (each.host, each.node, each.fresh) for key, each in claimed.items()} == {
            one: ('one', 'one', True), two: ('two', 'two', True)}
        assert claimed[one].generation == host(database, one).generation == before + 1
        assert [host_of(database, spec) for spec in specs] == ['one', 'two', 'one']
        assert (used(database, one)[0], used(database, one)[3], used(database, two)[3]) == (2, 2, 1)
        assert [database.read(lambda connection, spec=spec: claims.of_instance(connection, spec.instance_uuid))
                for spec in specs] == [[one], [two], [one]]
        assert_sound(database)

    def test_one_without_room_and_nothing_is_claimed(self, database: Database) -> None:
        one, two = add_host(database, 'one'), add_host(database, 'two')
        specs = [add_server(database) for _ in range(5)]
        assert take(database, *((spec, one) for spec in specs), (add_server(database), two)) is None
        assert used(database, one) == used(database, two) == (0, 0, 0, 0)
        assert [host_of(database, spec) for spec in specs] == [None] * 5
        assert_sound(database)

    def test_of_different_sizes_the_sum_counts(self, database: Database) -> None:
        one = add_host(database, 'one')
        large = add_server(database, flavor(vcpus=3))
        assert take(database, (large, one), (add_server(database, flavor(vcpus=2)), one)) is None
        assert take(database, (large, one), (add_server(database), one)) is not None
        assert used(database, one)[0] == 4

    @pytest.mark.parametrize('spoil', ['claimed', 'deleted', 'disabled', 'forced_down', 'gone', 'group'])
    def test_what_does_not_fit_refuses_all(self, database: Database, spoil: str) -> None:
        one, two = add_host(database, 'one'), add_host(database, 'two')
        group = make_group(database, 'anti-affinity') if spoil == 'group' else None
        good, bad = add_server(database), add_server(database, group=group)
        if spoil == 'claimed':
            assert claim(database, bad, two)
        elif spoil == 'deleted':
            database.transaction(lambda connection: instances.mark_deleted(connection, bad.instance_uuid))
        elif spoil in ('disabled', 'forced_down'):
            service = database.read(lambda connection: services.find(connection, 'two', 'nova-compute'))
            assert service is not None
            database.transaction(lambda connection: services.update(connection, service.id, **{spoil: True}))
        place = 987654 if spoil == 'gone' else two
        assert take(database, (good, one), (bad, place)) is None
        assert host_of(database, good) is None and used(database, one) == (0, 0, 0, 0)
        assert_sound(database)

    def test_many_at_once_never_take_more_than_there_is(self, database: Database) -> None:
        places = [add_host(database, f'h{number}') for number in range(3)]
        groups = [[(add_server(database), places[(number + turn) % 3]) for turn in range(3)] for number in range(8)]
        singles = [(add_server(database), places[number % 3]) for number in range(4)]
        jobs = [(database, *wanted) for wanted in groups] + [(database, single) for single in singles]
        taken = [each for each in at_once(take, jobs) if each]
        assert all(used(database, place)[0] <= 4 for place in places)
        assert sum(used(database, place)[3] for place in places) >= 10 and len(taken) >= 4
        assert_sound(database)
