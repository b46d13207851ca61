"""Tests of properties on examples that are new in each run; the gate takes the same ones each time."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.endurance.conftest import Figures
from tests.functional.standalone import ROOT

PATHS = sorted(str(path.relative_to(ROOT)) for folder in ('unit', 'contract') for path in (
    ROOT / 'tests' / folder).rglob('test_*.py') if 'hypothesis' in path.read_text())


@pytest.mark.parametrize('path', PATHS)
def test_properties_hold_for_other_examples(path: str, figures: Figures) -> None:
    done = subprocess.run([sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', path], cwd=ROOT, text=True,
                          env={**os.environ, 'COMPUTE_TEST_EXAMPLES': 'endurance'}, capture_output=True, check=False)
    passed = re.search(r'(\d+) passed', done.stdout)
    figures.note('tests that passed', passed.group(1) if passed else 0)
    assert done.returncode == 0, done.stdout[-10000:]
