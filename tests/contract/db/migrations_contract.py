"""What the queries of migrations promise on every database; a subclass gives the ``database`` fixture."""

from __future__ import annotations

import datetime
import uuid
from typing import Any

import pytest

from compute.db import claims, instances, migrations
from compute.db.session import Database
from compute.db.tables import migrations as table
from compute.objects.migration import (
    CONFIRMED,
    CONFIRMING,
    ERROR,
    FINISHED,
    MIGRATING,
    POST_MIGRATING,
    PRE_MIGRATING,
    REVERTED,
    REVERTING,
    Migration,
)
from tests.contract.db.stores import add_host, add_server, flavor

DAY = datetime.datetime(2026, 11, 20, 12, 0, 0)


def add(database: Database, key: str = 's', **values: Any) -> Migration:
    """Add a migration, the operation 7 of which changes it."""
    made = Migration(**{
        'uuid': str(uuid.uuid4()), 'instance_uuid': key, 'project_id': 'p', 'user_id': 'u', 'operation_id': 7,
        'type': 'resize', 'status': PRE_MIGRATING, 'source_host': 'one', 'source_node': 'one',
        'old_flavor': flavor(1), 'new_flavor': flavor(2), 'old_vm_state': 'active', **values})
    number = database.transaction(lambda connection: migrations.insert(connection, made))
    return read(database, key, number)


def read(database: Database, key: str, number: int) -> Migration:
    found = database.read(lambda connection: migrations.find(connection, key, number))
    assert found is not None
    return found


class MigrationsContract:
    """Migrations of servers s and t."""

    def test_it_is_read_as_it_was_written(self, database: Database) -> None:
        made = add(database)
        assert (made.old_flavor, made.new_flavor, made.dest_host, made.bytes_total) == (flavor(1), flavor(2), None, 0)
        assert made.created_at is not None and made.created_at == made.updated_at
        assert database.read(lambda connection: migrations.of_operation(connection, 7)) == made
        assert database.read(lambda connection: migrations.of_operation(connection, 8)) is None
        assert database.read(lambda connection: migrations.find(connection, 't', made.id)) is None

    def test_a_destination_is_noted_with_its_address(self, database: Database) -> None:
        add_host(database, 'two', host_ip='192.0.2.2')
        made = add(database)
        for host, address in (('two', '192.0.2.2'), ('gone', None)):
            assert database.transaction(lambda connection, host=host: migrations.set_destination(
                connection, 7, host)) == address
            found = read(database, 's', made.id)
            assert (found.dest_host, found.dest_ip) == (host, address)

    def test_only_the_migration_of_the_operation_is_changed(self, database: Database) -> None:
        made, other = add(database), add(database, operation_id=8)
        database.transaction(lambda connection: migrations.set_status(connection, 7, MIGRATING))
        assert (read(database, 's', made.id).status, read(database, 's', other.id)) == (MIGRATING, other)
        database.transaction(lambda connection: migrations.take_over(connection, made, 9, CONFIRMING))
        found = read(database, 's', made.id)
        assert (found.status, found.operation_id) == (CONFIRMING, 9)
        database.transaction(lambda connection: migrations.set_status(connection, 7, ERROR))
        assert read(database, 's', made.id) == found, 'another operation has it now'

    def test_which_waits(self, database: Database) -> None:
        def waiting(also: str | None = None) -> Migration | None:
            return database.transaction(lambda connection: migrations.waiting(connection, 's', also))
        for status in (PRE_MIGRATING, MIGRATING, POST_MIGRATING, CONFIRMED, REVERTED, ERROR):
            add(database, status=status)
        add(database, 't', status=FINISHED)
        assert waiting() is None
        old, half = add(database, status=FINISHED), add(database, status=REVERTING)
        assert waiting() == waiting(CONFIRMING) == old and waiting(REVERTING) == half
        assert waiting() == old
        newest = add(database, status=FINISHED)
        assert waiting() == newest

    def test_which_wait_for_long(self, database: Database) -> None:
        made = [add(database, status=status) for status in (FINISHED, MIGRATING, CONFIRMING, REVERTING, FINISHED)]

        def age(connection: Any) -> None:
            for number, each in enumerate(made):
                connection.execute(table.update().where(table.c.id == each.id).values(
                    updated_at=DAY - datetime.timedelta(hours=number)))
        database.transaction(age)

        def waiting(before: datetime.datetime, limit: int = 10) -> list[int]:
            return [each.id for each in database.read(
                lambda connection: migrations.waiting_since(connection, before, limit))]
        later = DAY + datetime.timedelta(seconds=1)
        assert waiting(later) == [made[4].id, made[2].id, made[0].id], 'the oldest first'
        assert waiting(later, 1) == [made[4].id] and waiting(DAY) == [made[4].id, made[2].id]

    @pytest.mark.parametrize(('before', 'after'), [
        (PRE_MIGRATING, ERROR), (MIGRATING, ERROR), (POST_MIGRATING, ERROR), (REVERTING, ERROR),
        (FINISHED, CONFIRMED), (CONFIRMING, CONFIRMED), (CONFIRMED, CONFIRMED), (REVERTED, REVERTED), (ERROR, ERROR)])
    def test_what_is_open_of_a_deleted_server_is_closed(self, database: Database, before: str, after: str) -> None:
        made, other = add(database, status=before), add(database, 't', status=before)
        database.transaction(lambda connection: migrations.close(connection, 's'))
        assert read(database, 's', made.id).status == after and read(database, 't', other.id) == other

    def test_what_may_be_on_a_host_although_its_server_is_elsewhere(self, database: Database) -> None:
        """A guest that is set aside has a claim there, or an operation; of all others nothing is to be there."""
        places = {name: add_host(database, name) for name in ('one', 'two')}
        claimed, elsewhere, busy, deleted = (add_server(database) for _ in range(4))
        for spec, name in ((claimed, 'one'), (elsewhere, 'two'), (busy, 'two')):
            assert database.transaction(lambda connection, spec=spec, name=name: claims.claim(
                connection, spec, places[name]))
        database.transaction(lambda connection: instances.update(connection, busy.instance_uuid, operation_id=3))
        database.transaction(lambda connection: instances.mark_deleted(connection, deleted.instance_uuid))
        asked = [spec.instance_uuid for spec in (claimed, elsewhere, busy, deleted)]

        def left(uuids: list[str]) -> list[str]:
            return database.read(lambda connection: claims.unclaimed_on(connection, 'one', uuids))
        assert left(asked) == sorted([elsewhere.instance_uuid, deleted.instance_uuid]) and left([]) == []
