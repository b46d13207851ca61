"""What servers are charged with: the larger of two sizes during a resize, and what a count of a project goes by."""

from __future__ import annotations

import threading

import pytest

from compute.db import instances, quotas
from compute.db.session import Database
from compute.db.tables import usages
from compute.exception import OverQuota
from tests.contract.db.stores import add_server, flavor
from tests.unit.db.test_quotas import LIMITS

PROJECT = 'p'


def server(db: Database, cores: int = 2, ram: int = 200) -> str:
    """Add a server that is charged with its flavor, and return its uuid."""
    made = add_server(db, flavor(cores, ram))
    db.transaction(lambda connection: quotas.charge(connection, LIMITS, PROJECT, instances=1, cores=cores, ram=ram))
    return made.instance_uuid


def used(db: Database) -> tuple[int, int]:
    found = db.read(lambda connection: quotas.usage_of(connection, PROJECT))
    assert found['instances'] == 1
    return found['cores'], found['ram']


def charge(db: Database, uuid: str, cores: int, ram: int, limit: int = 1000) -> None:
    """Charge a server; ``limit``: of memory."""
    db.transaction(lambda connection: quotas.charge_server(
        connection, {**LIMITS, 'ram': limit}, PROJECT, uuid, cores=cores, ram=ram))


def recharge(db: Database, uuid: str, cores: int, ram: int) -> None:
    db.transaction(lambda connection: quotas.recharge_server(connection, PROJECT, uuid, cores=cores, ram=ram))


def charged(db: Database, uuid: str) -> tuple[int, int]:
    found = db.transaction(lambda connection: quotas.charge_of(connection, uuid))
    return found['cores'], found['ram']


def is_even(db: Database) -> bool:
    return db.read(quotas.uneven) == [] and db.transaction(
        lambda connection: quotas.recount(connection, PROJECT)) is None


def test_a_new_server_is_charged_with_its_flavor(db: Database) -> None:
    uuid = server(db)
    assert charged(db, uuid) == used(db) == (2, 200) and is_even(db)


@pytest.mark.parametrize(('cores', 'ram', 'after'), [
    (4, 400, (4, 400)), (1, 100, (2, 200)), (4, 100, (4, 200)), (1, 400, (2, 400)), (2, 200, (2, 200))])
def test_the_larger_of_each_is_charged_until_it_is_decided(db: Database, cores: int, ram: int,
                                                           after: tuple[int, int]) -> None:
    uuid = server(db)
    for _ in range(2):  # asked again it is charged once
        charge(db, uuid, cores, ram)
        assert charged(db, uuid) == used(db) == after and is_even(db)
    recharge(db, uuid, cores, ram)  # confirmed
    assert charged(db, uuid) == used(db) == (cores, ram) and is_even(db)


@pytest.mark.parametrize(('cores', 'ram'), [(4, 400), (1, 100), (4, 100)])
def test_taken_back_it_is_charged_as_before(db: Database, cores: int, ram: int) -> None:
    uuid = server(db)
    charge(db, uuid, cores, ram)
    for _ in range(2):
        recharge(db, uuid, 2, 200)
        assert charged(db, uuid) == used(db) == (2, 200) and is_even(db)


def test_what_does_not_fit_changes_nothing(db: Database) -> None:
    uuid = server(db)
    with pytest.raises(OverQuota) as caught:
        charge(db, uuid, 4, 400, limit=300)
    assert caught.value.details['resources'] == ['ram']
    assert (caught.value.details['requested']['cores'], caught.value.details['requested']['ram']) == (2, 200)
    assert charged(db, uuid) == used(db) == (2, 200)
    charge(db, uuid, 4, 200, limit=1)  # what is not more is not checked
    assert used(db) == (4, 200)


def test_a_server_that_is_not_there_is_charged_with_nothing(db: Database) -> None:
    assert charged(db, 'nobody') == (0, 0)


def test_a_count_goes_by_what_servers_are_charged_with(db: Database) -> None:
    uuid = server(db)
    charge(db, uuid, 4, 400)
    assert is_even(db), 'its flavor is still the smaller one'
    db.transaction(lambda connection: connection.execute(usages.update().values(cores=9, ram=200)))
    (project, recorded, counted), = db.read(quotas.uneven)
    assert (project, recorded['cores'], counted['cores'], recorded['ram'], counted['ram']) == (PROJECT, 9, 4, 200, 400)
    assert db.transaction(lambda connection: quotas.recount(connection, PROJECT)) == (recorded, counted)
    assert used(db) == (4, 400) and is_even(db)


def test_a_deleted_server_counts_no_more(db: Database) -> None:
    uuid = server(db)
    charge(db, uuid, 4, 400)

    def delete(connection: instances.Connection) -> None:
        instances.mark_deleted(connection, uuid)
        quotas.refund(connection, PROJECT, instances=1, **quotas.charge_of(connection, uuid))
    db.transaction(delete)
    found = db.read(lambda connection: quotas.usage_of(connection, PROJECT))
    assert (found['instances'], found['cores'], found['ram']) == (0, 0, 0) and is_even(db)


def test_many_at_once_charge_the_difference_once(db: Database) -> None:
    uuid = server(db)
    threads = [threading.Thread(target=charge, args=(db, uuid, 4, 400)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert charged(db, uuid) == used(db) == (4, 400)
