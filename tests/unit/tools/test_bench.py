"""tools/bench: it measures, and its comparison goes red for a tree that is slower."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the bench."""
    return subprocess.run([sys.executable, '-W', 'ignore', str(ROOT / 'tools' / 'bench'), *words], cwd=ROOT,
                          capture_output=True, text=True, timeout=120, check=False)


def faster_tree(folder: pathlib.Path) -> pathlib.Path:
    """Return a copy of this tree in which a server is shown without rendering it: what this tree does is slower."""
    tree = folder / 'faster'
    for name in ('compute', 'etc'):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns('__pycache__'))
    show = tree / 'compute/api/servers/show.py'
    text = show.read_text()
    assert "    return {'server': one(call, call.target)}\n" in text
    show.write_text(text.replace("    return {'server': one(call, call.target)}\n", "    return b'{\"server\": {}}'\n"))
    return tree


def test_comparison_tells_the_slower_tree(tmp_path: pathlib.Path) -> None:
    """Its status is what a pipeline goes by."""
    done = bench('compare', str(faster_tree(tmp_path)), '--rounds', '3', '--seconds', '0.15', '--only', 'show')
    assert 'show (1000)' in done.stdout, done.stdout + done.stderr
    assert 'worse by more than 10%: show' in done.stderr, done.stdout + done.stderr
    assert done.returncode == 1


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
