"""Every fault at every stage of every operation: the full product of ``table.FAULTS`` and the kinds' stages.

The gate tries one row for each mechanism, see ``tests/real/faults/test_matrix.py``. The table is printed at the end.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import threads
from tests.endurance.conftest import Figures
from tests.real.cluster_services import missing
from tests.real.faults import rows
from tests.real.faults.bed import Bed, started
from tests.real.faults.table import FAULTS

pytestmark = pytest.mark.skipif(bool(missing()), reason=f'not installed: {", ".join(missing())}')


@pytest.fixture(scope='module')
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    with started(Bed(tmp_path_factory.mktemp('m'), threads.NATIVE)) as it:
        yield it


@pytest.fixture(scope='module')
def done(request: pytest.FixtureRequest) -> Iterator[list[rows.Row]]:
    yield from rows.collected(request)


@pytest.mark.parametrize('fault', FAULTS, ids=lambda fault: fault.name.replace(' ', '_'))
def test_fault_at_every_stage(cluster: Bed, done: list[rows.Row], fault: rows.Fault, figures: Figures) -> None:
    row = rows.run(cluster, fault)
    done.append(row)
    figures.note('cells', len(row.verdicts))
    figures.note('seconds until', row.seconds)
    assert not row.wrong, '\n'.join(row.wrong)
