"""The fault tests notice when the product lacks one of the ledger's checks: they go red on a version without it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import threads
from tests.real.cluster_services import missing
from tests.real.faults import broken, rows
from tests.real.faults.bed import Bed, started
from tests.real.faults.table import WITHOUT
from tests.real.faults.ways import WAYS

pytestmark = pytest.mark.skipif(bool(missing()), reason=f'not installed: {", ".join(missing())}')
_FEW = tuple(way for way in WAYS if way.name in ('create', 'stop'))


@pytest.fixture(scope='module')
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    with started(Bed(tmp_path_factory.mktemp('r'), threads.NATIVE)) as it:
        yield it


@pytest.mark.parametrize(('check', 'found'), [
    (broken.EXPIRY, 'is running at '),
    (broken.LEASE, 'the conductor that came back was not refused'),
    (broken.INCARNATION, 'the worker that was replaced goes on')])
def test_without_a_check_the_matrix_is_red(cluster: Bed, check: str, found: str) -> None:
    row = rows.run(cluster, WITHOUT[check], _FEW, settle=8)
    assert any(found in wrong for wrong in row.wrong), f'{check}: {row.wrong}'
