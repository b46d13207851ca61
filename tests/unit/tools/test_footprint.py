"""Modules that daemons have no business to load. What they take of memory is measured by the endurance set."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
LOAD = 'import json, sys, footprint; footprint._load(sys.argv[1]); print(json.dumps(sorted(sys.modules)))'
NOWHERE = {'alembic', 'mako', 'numpy', 'openstack', 'keystoneclient', 'keystonemiddleware', 'pygments', 'pytest',
           'setuptools'}
ON_NO_HOST = {'sqlalchemy', 'pymysql', 'pg8000', 'routes', 'oslo_policy', 'jsonschema'}


@pytest.mark.parametrize('daemon', ['api', 'worker'])
def test_a_daemon_loads_only_what_it_needs(daemon: str) -> None:
    environment = {**os.environ, 'COMPUTE_CONCURRENCY': 'eventlet',
                   'PYTHONPATH': f'{ROOT}{os.pathsep}{ROOT / "tools" / "bench"}'}
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', LOAD, daemon], env=environment, cwd=ROOT,
                          capture_output=True, text=True, timeout=300, check=True)
    loaded = {name.partition('.')[0] for name in json.loads(done.stdout.splitlines()[-1])}
    assert not loaded & (NOWHERE | (ON_NO_HOST if daemon == 'worker' else set()))
