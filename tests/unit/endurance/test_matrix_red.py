"""The fault matrix is green on the product and red on one without a check of the ledger: one row, stepped.

The endurance set does the same with real processes, see ``tests/endurance/test_fault_matrix_red.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from oslo_config import cfg

from compute import exception
from compute.db import operations
from tests.real.faults import broken, rows
from tests.real.faults.table import WITHOUT, killed
from tests.real.faults.wrapping import undone
from tests.unit.conductor.making import USER, AtOnce
from tests.unit.endurance.stepped_bed import WAY, SteppedBed


@pytest.fixture
def bed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SteppedBed]:
    made = SteppedBed(tmp_path)
    monkeypatch.setattr(cfg, 'CONF', made.controller.conf)  # the seams ask it for the conductor's host
    with undone():
        made.install()
        yield made
    made.remove()


def test_a_killed_conductor_leaves_nothing_wrong(bed: SteppedBed) -> None:
    row = rows.run(bed, killed('conductor', lasts=0), WAY, settle=0)
    assert row.wrong == []
    assert row.verdicts == {f'delete without host: releasing, {when}': 'ok' for when in ('before', 'after')}


def test_without_the_expiry_of_leases_the_row_is_red(bed: SteppedBed) -> None:
    row = rows.run(bed, WITHOUT[broken.EXPIRY], WAY, settle=0)
    assert sum('(delete of' in wrong and 'is running at ' in wrong for wrong in row.wrong) == 2, row.wrong
    assert [wrong for wrong in row.wrong if 'ended with running' in wrong], row.wrong


def test_the_switch_of_leases_lets_another_conductor_in(bed: SteppedBed) -> None:
    number = bed.controller.create().id
    one, other = bed.controller.conductor, AtOnce(bed.controller.cloud)  # type: ignore[arg-type]
    assert one.lease(number) is not None

    def enters() -> bool:
        return bed.controller.db.transaction(lambda connection: other.holds(connection, number))
    assert other.lease(number) is None and not enters()
    bed.points.switch(broken.LEASE)
    assert enters() and other.lease(number) is not None


def test_the_switch_of_incarnations_lets_a_replaced_worker_in(bed: SteppedBed) -> None:
    bed.controller.add_host('a')
    old = bed.controller.who('a')
    bed.controller.add_host('a')
    number = bed.controller.create().id
    bed.controller.db.transaction(lambda connection: operations.hand_over(connection, number, 'a', 60))
    bed.controller.begin(number, 'a')

    def heartbeat() -> None:
        bed.controller.reports.heartbeat(USER, operations=(), **old)

    def progress() -> None:
        bed.controller.reports.progress(USER, operation_id=number, stage='spawning', **old)
    for report in (heartbeat, progress):
        with pytest.raises(exception.Stale):
            report()
    bed.points.switch(broken.INCARNATION)
    heartbeat()
    progress()
