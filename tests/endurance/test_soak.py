"""Load with a random fault every twenty seconds, for the minutes that ``tools/run_tests.sh endurance --minutes`` gives.

The seed is printed; ``SOAK_SEED`` repeats a run. ``python -m tests.endurance.soak`` runs only this.
"""

from __future__ import annotations

import os
import random
import sys

import pytest

from tests import threads
from tests.endurance.conftest import Figures
from tests.endurance.soak import engine
from tests.endurance.soak.judge import wrong
from tests.endurance.soak.report import text
from tests.real.cluster_services import missing

MINUTES = float(os.environ.get('ENDURANCE_MINUTES') or 10)
pytestmark = pytest.mark.skipif(bool(missing()), reason=f'not installed: {", ".join(missing())}')


@pytest.mark.timeout(MINUTES * 60 + 1800)
def test_a_cloud_under_load_and_faults(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest,
                                       figures: Figures) -> None:
    seed = int(os.environ.get('SOAK_SEED') or random.randrange(10**6))
    with engine.bed(tmp_path_factory.mktemp('s'), threads.NATIVE) as bed:
        soak = engine.soak(bed, MINUTES * 60, seed)
        found = wrong(bed, soak)
    capture = request.config.pluginmanager.get_plugin('capturemanager')
    with capture.global_and_fixture_disabled():
        sys.stdout.write(f'\n{text(soak, found)}')
    figures.note('minutes', MINUTES)
    figures.note('seed', seed)
    figures.note('requests', sum(soak.journal.counts.values()))
    figures.note('faults', len(soak.happened))
    figures.at_most('things that are wrong', len(found), 0)
    assert not found, '\n'.join(found)
