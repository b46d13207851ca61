"""What daemons take of memory once they are loaded, and what they have no business to load. Limits are generous."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
LOAD = 'import json, sys, footprint; print(json.dumps([footprint._load(sys.argv[1]), sorted(sys.modules)]))'
NOWHERE = {'alembic', 'mako', 'numpy', 'openstack', 'keystoneclient', 'keystonemiddleware', 'pygments', 'pytest',
           'setuptools'}
ON_NO_HOST = {'sqlalchemy', 'pymysql', 'pg8000', 'routes', 'oslo_policy', 'jsonschema'}
# Daemon: MiB of its own that it may take once it is loaded (idle with connections it takes a little more).
LIMITS = {'worker': 65, 'api': 85}


@pytest.mark.parametrize('daemon', sorted(LIMITS))
def test_a_loaded_daemon_is_small(daemon: str) -> None:
    """Modules that nobody needs are found by name, everything else by its weight."""
    environment = {**os.environ, 'COMPUTE_CONCURRENCY': 'eventlet',
                   'PYTHONPATH': f'{ROOT}{os.pathsep}{ROOT / "tools" / "bench"}'}
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', LOAD, daemon], env=environment, cwd=ROOT,
                          capture_output=True, text=True, timeout=120, check=True)
    taken, modules = json.loads(done.stdout)
    loaded = {name.partition('.')[0] for name in modules}
    assert not loaded & (NOWHERE | (ON_NO_HOST if daemon == 'worker' else set()))
    assert taken['private'] < LIMITS[daemon], f'{daemon} takes {taken["private"]:.0f} MiB once loaded'
