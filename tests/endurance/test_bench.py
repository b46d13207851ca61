"""tools/bench compares two trees by their times: it fails for one that is slower."""

from __future__ import annotations

import pathlib
import shutil

from tests.endurance.conftest import Figures
from tests.unit.tools.test_bench import ROOT, bench


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


def test_comparison_tells_the_slower_tree(tmp_path: pathlib.Path, figures: Figures) -> None:
    """Its status is what a pipeline goes by."""
    done = bench('compare', str(faster_tree(tmp_path)), '--rounds', '3', '--seconds', '0.15', '--only', 'show')
    figures.note('comparison', next((line for line in done.stdout.splitlines() if 'show (1000)' in line), done.stdout))
    assert 'show (1000)' in done.stdout, done.stdout + done.stderr
    assert 'worse by more than 10%: show' in done.stderr, done.stdout + done.stderr
    assert done.returncode == 1
