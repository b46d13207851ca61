"""tools/bench: it measures, and its comparison fails for a tree that is slower."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import pathlib
import subprocess
import sys
from typing import Any

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the bench."""
    return subprocess.run([sys.executable, '-W', 'ignore', str(ROOT / 'tools' / 'bench'), *words], cwd=ROOT,
                          capture_output=True, text=True, timeout=600, check=False)


@pytest.fixture
def compare(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give the module of the comparison."""
    monkeypatch.syspath_prepend(str(ROOT / 'tools' / 'bench'))
    return importlib.import_module('compare')


@pytest.mark.parametrize(('these', 'those', 'worse'), [
    ([1.2, 1.3, 1.2], [1.0, 1.0, 1.0], True),
    ([1.05, 1.05, 1.05], [1.0, 1.0, 1.0], False),  # within the limit
    ([1.2, 0.9, 1.3], [1.0, 1.0, 1.0], False),  # one round shows a gain: it may be chance
    ([0.5, 0.5, 0.5], [1.0, 1.0, 1.0], False)])
def test_comparison_tells_the_slower_tree(compare: Any, these: list[float], those: list[float], worse: bool) -> None:
    """Its judgement of given figures; the endurance set compares two trees."""
    assert compare.Compared('show', these, those).is_worse(0.1) is worse


class Trees:
    """Two trees whose processor times are given."""

    def __init__(self, cpu: float) -> None:
        self._cpu = cpu

    def run(self, name: str, size: int, seconds: float) -> dict[str, float]:
        return {'cpu': self._cpu}


@pytest.mark.parametrize(('this', 'that', 'status'), [(2.0, 1.0, 1), (1.0, 1.0, 0)])
def test_status_of_a_comparison(compare: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
                                this: float, that: float, status: int) -> None:
    """It is what a pipeline goes by."""
    trees = [Trees(this), Trees(that)]
    monkeypatch.setattr(compare, 'checked_out', contextlib.nullcontext)
    monkeypatch.setattr(compare, 'running', lambda tree: contextlib.nullcontext(trees.pop(0)))
    options = argparse.Namespace(revision='other', rounds=3, seconds=0.1, worse=0.1, only=['show'])
    assert compare.run(options) == status
    shown = capsys.readouterr()
    assert 'show (1000)' in shown.out
    assert ('worse by more than 10%: show' in shown.err) == bool(status)


def test_growth_is_measured() -> None:
    """Every scenario runs, at two sizes."""
    done = bench('grow', '--servers', '1', '20', '--hosts', '10', '--runs', '1', '--seconds', '0.01')
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'number of servers' in done.stdout and 'number of hosts' in done.stdout
    for name in ('show', 'list', 'detail', 'page', 'create', 'decision', 'apart', 'refused', 'look', 'select'):
        assert f'\n  {name} ' in done.stdout, done.stdout


def test_memory_of_a_process_is_told() -> None:
    """It may be asked about any process."""
    done = bench('memory', '--pid', str(os.getpid()))
    assert done.returncode == 0, done.stderr
    assert 'PSS' in done.stdout and f'\n  {os.getpid()} ' in done.stdout
