"""Two minutes of load with a random fault every twenty seconds; ``python -m tests.real.soak`` does it for longer.

The seed is printed; ``SOAK_SEED`` repeats a run.
"""

from __future__ import annotations

import os
import random
import sys

import pytest

from tests import threads
from tests.real.cluster_services import missing
from tests.real.soak import engine
from tests.real.soak.judge import wrong
from tests.real.soak.report import text

SECONDS = 120
pytestmark = pytest.mark.skipif(bool(missing()), reason=f'not installed: {", ".join(missing())}')


@pytest.mark.timeout(400)
def test_two_minutes_under_fire(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> None:
    seed = int(os.environ.get('SOAK_SEED') or random.randrange(10**6))
    with engine.bed(tmp_path_factory.mktemp('s'), threads.NATIVE) as bed:
        soak = engine.soak(bed, SECONDS, seed)
        found = wrong(bed, soak)
    capture = request.config.pluginmanager.get_plugin('capturemanager')
    with capture.global_and_fixture_disabled():
        sys.stdout.write(f'\n{text(soak, found)}')
    assert not found, '\n'.join(found)
