"""tools/tests/run.py: which tests run in which lane, in how many processes, and how results are summed up."""

from __future__ import annotations

import importlib.util
import pathlib
import sys
from typing import Any

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give the module."""
    spec = importlib.util.spec_from_file_location('run_under_test', ROOT / 'tools' / 'tests' / 'run.py')
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, 'run_under_test', module)  # dataclasses look there
    spec.loader.exec_module(module)
    return module


def test_every_folder_of_tests_is_a_tier(run: Any) -> None:
    folders = {path.parent.relative_to(ROOT / 'tests').parts[0] for path in (ROOT / 'tests').rglob('test_*.py')}
    assert folders == set(run.LANES) - {'lint'}


def test_a_real_test_runs_in_one_lane(run: Any) -> None:
    beside = run.paths_of('real', run.CLUSTERS)
    assert {'tests/real/faults/test_matrix.py', 'tests/real/test_restart.py'} <= set(beside)
    assert not [path for path in beside if 'libvirt' in path or 'stack' in path or 'systemd' in path]
    stores = run.paths_of('real', run.STORES)
    assert {'tests/real/test_identity_databases.py', 'tests/real/test_doctor.py'} <= set(stores)
    assert not set(stores) & set(beside)
    assert run.paths_of('real', run.HOST) == ['tests/real', *(f'--ignore={path}' for path in [*beside, *stores])]
    assert run.paths_of('endurance', run.HOST) == ['tests/endurance']


@pytest.mark.parametrize(('tier', 'concurrency', 'processes', 'patched'), [
    ('unit', '', True, False), ('unit', 'threading', True, True), ('unit', 'eventlet', False, True),
    ('functional', 'eventlet', True, False), ('real', 'threading', False, False)])
def test_processes_and_threads_of_a_tier(run: Any, monkeypatch: pytest.MonkeyPatch, tier: str, concurrency: str,
                                         processes: bool, patched: bool) -> None:
    monkeypatch.setenv('COMPUTE_CONCURRENCY', concurrency)
    command = run.pytest_command(tier, pathlib.Path('report.xml'), [f'tests/{tier}'])
    assert ('-n' in command, 'tests.patched' in command) == (processes, patched)


def test_lanes_run_side_by_side_and_their_results_are_one(run: Any, monkeypatch: pytest.MonkeyPatch,
                                                          tmp_path: pathlib.Path) -> None:
    def tests(tier: str, lane: str, *others: Any) -> Any:
        if (tier, lane) == ('real', run.CLUSTERS):
            return run.Result(tier, passed=1, failed=1, broken=['FAILED x'])
        return run.Result(tier, passed=2, skipped=1)
    monkeypatch.setattr(run, 'tests', tests)
    results = run.run_lanes(['unit', 'real'], tmp_path, [])
    assert [(each.tier, each.passed, each.failed, each.skipped, each.broken) for each in results] == [
        ('unit', 2, 0, 1, []), ('real', 5, 1, 2, ['FAILED x'])]


def test_a_lane_that_breaks_off_is_a_failure(run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    monkeypatch.setattr(run.Lane, 'run', lambda lane: None)
    result, = run.run_lanes(['unit'], tmp_path, [])
    assert result.failed == 1 and 'ended early' in result.broken[0]
