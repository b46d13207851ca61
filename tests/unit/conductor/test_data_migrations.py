"""Data migrations: one conductor at a time, in steps, until nothing is left."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from compute.conductor.data_migrations import DataMigrations
from compute.db.data_migrations import DATA_MIGRATIONS
from compute.db.tables import operations
from tests.unit.conductor.making import AtOnce, Controller


def keys(controller: Controller) -> int:
    return controller.db.read(DATA_MIGRATIONS[0].left)


@pytest.fixture
def old_rows(controller: Controller) -> None:
    """Five operations as the version before left them."""
    controller.conf.set_override('data_migration_batch', 2, 'conductor')
    for number in range(5):
        operation = controller.create(name=f'vm{number}')
        controller.db.transaction(lambda connection, number=number, operation=operation: connection.execute(
            operations.update().where(operations.c.id == operation.id).values(idempotency_key=f'key{number}')))


def test_in_steps_until_nothing_is_left(controller: Controller, old_rows: None) -> None:
    task = DataMigrations(controller.conductor)
    assert [(task.run(), keys(controller)) for _ in range(4)] == [(2, 3), (2, 1), (1, 0), (0, 0)]


def test_one_conductor_at_a_time(controller: Controller, old_rows: None) -> None:
    other = AtOnce(SimpleNamespace(**{**vars(controller.cloud), 'host': 'c2'}))  # type: ignore[arg-type]
    mine, theirs = DataMigrations(controller.conductor), DataMigrations(other)
    assert (mine.run(), theirs.run(), mine.run(), mine.run()) == (2, 0, 2, 1)


def test_each_has_a_name_of_its_own_and_says_why() -> None:
    assert len({migration.name for migration in DATA_MIGRATIONS}) == len(DATA_MIGRATIONS)
    assert all(migration.why for migration in DATA_MIGRATIONS)
