"""Signals to a process of daemons, on green and on native threads: in a process of its own each."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.functional.standalone import ROOT

BEGIN = """
from compute import concurrency
concurrency.patch()
import os, signal, threading
from compute import signals
from tests.waiting import wait_until
asked, stop = [], threading.Event()
def stopped():
    asked.append('stop')
    stop.set()
signals.obey(stopped, lambda: asked.append('reload'))
def until(condition):
    wait_until(condition, 'what the test waits for')
"""
LOCKED = BEGIN + """
with stop._cond:
    os.kill(os.getpid(), signal.SIGTERM)
    os.getpid()  # the handler has run by now, in this thread, which holds the lock
assert stop.wait(100)
"""
BAD = BEGIN.replace("lambda: asked.append('reload')", '__import__("sys").exit') + """
for _ in range(2):
    os.kill(os.getpid(), signal.SIGHUP)
os.kill(os.getpid(), signal.SIGTERM)
assert stop.wait(100)
"""
OWN = BEGIN + """
for _ in range(3):
    signals.stop_this_process()
until(lambda: asked == ['stop'] * 3)
os.kill(os.getpid(), signal.SIGHUP)
until(lambda: asked[3:] == ['reload'])
os.kill(os.getpid(), signal.SIGTERM)
until(lambda: asked[4:] == ['stop'])
os.kill(os.getpid(), signal.SIGTERM)
stop.clear()
stop.wait()
"""


MANY = BEGIN + """
box = concurrency.Mailbox()
def fill():
    for number in range(5000):
        box.put(number)
concurrency.native_thread(fill, name='fill').join()
assert [box.get() for _ in range(5000)] == list(range(5000))
concurrency.native_thread(fill, name='fill')
assert [box.get() for _ in range(5000)] == list(range(5000))
box.close()
assert box.get() is None
"""


@pytest.fixture(params=['threading', 'eventlet'])
def run(request: pytest.FixtureRequest) -> object:
    """Return what runs a script and returns its exit status."""
    def one(script: str) -> int:
        environment = {**os.environ, 'COMPUTE_CONCURRENCY': request.param}
        return subprocess.run([sys.executable, '-W', 'ignore', '-c', script], cwd=ROOT, env=environment, timeout=600,
                              check=False).returncode
    return one


def test_a_signal_needs_no_lock_that_the_main_thread_holds(run: object) -> None:
    assert run(LOCKED) == 0  # type: ignore[operator]


def test_what_goes_wrong_with_one_signal_does_not_hinder_the_next(run: object) -> None:
    assert run(BAD) == 0  # type: ignore[operator]


def test_a_process_may_ask_itself_often_and_only_the_second_order_is_haste(run: object) -> None:
    assert run(OWN) == 128 + 15  # type: ignore[operator]


def test_a_mailbox_takes_more_than_its_pipe_holds(run: object) -> None:
    assert run(MANY) == 0  # type: ignore[operator]
