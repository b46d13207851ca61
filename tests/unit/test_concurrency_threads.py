"""Threads that end without a word, and waits for them that may take no more than a time, in both modes."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from compute import concurrency
from tests.functional.standalone import ROOT

RUN = """
import sys
from compute import concurrency
concurrency.patch(sys.argv[1])
import logging, threading
said = []
class Keep(logging.Handler):
    def emit(self, record):
        said.append(record.getMessage())
logging.getLogger().addHandler(Keep())
go = threading.Event()
thread = concurrency.spawn(go.wait, name='waits')
thread.join(0.01)
assert thread.is_alive(), 'the time was over, and nothing was raised'
go.set()
thread.join(20)
assert not thread.is_alive()
class Odd(BaseException):
    pass
def fails():
    raise Odd
thread = concurrency.spawn(fails, name='odd')
thread.join(20)
assert not thread.is_alive() and said == ['thread odd failed'], said
turns = threading.Semaphore(0)
def turn():
    turns.release()
    raise Odd
periodic = concurrency.Periodic(turn, 0.01).start()
assert turns.acquire(timeout=20) and turns.acquire(timeout=20), 'it goes on'
periodic.stop()
periodic.join(20)
"""
MAKES = {'concurrency.py', 'builtin/network/agent/linux/namespaces.py'}


@pytest.mark.parametrize('mode', [concurrency.EVENTLET, concurrency.THREADING])
def test_a_thread_is_waited_for_and_its_fault_is_noted(mode: str) -> None:
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', RUN, mode], cwd=ROOT, capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_threads_are_made_in_one_place() -> None:
    """With eventlet on Python 3.13 ``join(timeout)`` of any other raises what is no Exception."""
    root = ROOT / 'compute'

    def makes(path: Path) -> bool:
        return any(isinstance(node, ast.Call) and ast.unparse(node.func) == 'threading.Thread'
                   for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))))
    assert {str(path.relative_to(root)) for path in root.rglob('*.py') if makes(path)} <= MAKES


@pytest.mark.parametrize(('version', 'mode'), [((3, 12, 9), concurrency.EVENTLET), ((3, 13, 0), concurrency.THREADING),
                                               ((3, 14, 1), concurrency.THREADING)])
def test_what_python_decides(monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...], mode: str) -> None:
    monkeypatch.setattr(sys, 'version_info', version)
    assert concurrency.automatic() == mode
