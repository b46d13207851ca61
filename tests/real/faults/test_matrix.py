"""One fault for each mechanism that heals, at every stage of every operation: nothing is stuck, lost or left over.

The rows are ``table.GATE``, the columns come from the kinds' stages. The endurance set tries all faults of the table.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import threads
from tests.real.cluster_services import missing
from tests.real.faults import rows
from tests.real.faults.bed import Bed, started
from tests.real.faults.table import FAULTS, GATE
from tests.real.faults.ways import WAYS, unreachable

pytestmark = pytest.mark.skipif(bool(missing()), reason=f'not installed: {", ".join(missing())}')

# TEMPORARY: the ways of pause, suspend and moves are tried in the endurance set; once all their rows have passed there
# they belong here, too.
SHORT = tuple(way for way in WAYS if way.kind in ('create', 'delete', 'start', 'stop', 'reboot', 'reboot_hard'))


@pytest.fixture(scope='module')
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    with started(Bed(tmp_path_factory.mktemp('m'), threads.NATIVE)) as it:
        yield it


@pytest.fixture(scope='module')
def done(request: pytest.FixtureRequest) -> Iterator[list[rows.Row]]:
    yield from rows.collected(request, SHORT)


@pytest.mark.parametrize('fault', GATE, ids=lambda fault: fault.name.replace(' ', '_'))
def test_fault_at_every_stage(cluster: Bed, done: list[rows.Row], fault: rows.Fault) -> None:
    row = rows.run(cluster, fault, SHORT)
    done.append(row)
    assert not row.wrong, '\n'.join(row.wrong)


def test_every_declared_stage_has_a_way() -> None:
    assert unreachable() == []


def test_the_gate_tries_faults_of_the_table() -> None:
    assert all(fault in FAULTS for fault in GATE)
