"""The libvirt driver with green threads: the same tests, in a process that is patched before anything is imported."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUN = """
import os, sys
from compute import concurrency
concurrency.patch('eventlet')
import pytest
code = pytest.main(['-q', '-p', 'no:cacheprovider', 'tests/real/test_libvirt_driver.py', '-k', sys.argv[1]])
os._exit(int(code))
"""
SOME = 'spawn_makes or end_from_outside or libvirtd_restarts or fetched_once or does_not_obey'


@pytest.mark.timeout(1800)
def test_under_eventlet() -> None:
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', RUN, SOME], cwd=ROOT, capture_output=True, text=True,
                          timeout=1500, check=False,
                          env={'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'PYTHONPATH': str(ROOT)})
    if ' skipped' in done.stdout and ' passed' not in done.stdout:
        pytest.skip(done.stdout.strip().splitlines()[-1])
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
