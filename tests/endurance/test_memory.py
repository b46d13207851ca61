"""What daemons take of memory: once they are loaded, and all in one process with something in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.endurance.conftest import Figures
from tests.functional.standalone import ROOT, Client, Cloud, running

LOAD = 'import json, sys, footprint; print(json.dumps(footprint._load(sys.argv[1])))'
# Daemon: MiB of its own that it may take once it is loaded (idle with connections it takes a little more).
LIMITS = {'worker': 65, 'api': 85}
MOST = 180.0


@pytest.mark.parametrize('daemon', sorted(LIMITS))
def test_a_loaded_daemon_is_small(daemon: str, figures: Figures) -> None:
    environment = {**os.environ, 'COMPUTE_CONCURRENCY': 'eventlet',
                   'PYTHONPATH': f'{ROOT}{os.pathsep}{ROOT / "tools" / "bench"}'}
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', LOAD, daemon], env=environment, cwd=ROOT,
                          capture_output=True, text=True, timeout=300, check=True)
    figures.at_most(f'private MiB of a loaded {daemon}', json.loads(done.stdout)['private'], LIMITS[daemon])


def test_all_daemons_in_one_process_are_small(tmp_path: Path, figures: Figures) -> None:
    """The proportional set size, after a server was created and deleted."""
    with running(tmp_path) as stack:
        client = Client(stack)
        cloud = Cloud(client)
        uuid = cloud.create()
        client.wait(uuid, 'ACTIVE')
        client.call('DELETE', 'compute', f'/servers/{uuid}')
        client.gone(uuid)
        assert stack.process is not None
        lines = Path(f'/proc/{stack.process.pid}/smaps_rollup').read_text().splitlines()
        taken = next(int(line.split()[1]) for line in lines if line.startswith('Pss:')) / 1024
    figures.at_most('PSS of compute-standalone in MiB', taken, MOST)
