"""A libvirtd that hangs takes none of the threads that other blocking calls of the process need."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.functional.standalone import ROOT

RUN = """
import os, sys
from compute import concurrency
concurrency.patch(sys.argv[1])
import threading
from compute.virt.libvirt.host import Host
from tests.contract.virt.making import make_conf
from tests.waiting import LONG, wait_until
if sys.argv[1] == 'eventlet':
    from eventlet import patcher
    native = patcher.original('threading').Event()
else:
    native = threading.Event()
host = Host(make_conf())
host._connection = object()
answers, begun, inside = [], [], []
def hang(connection):
    inside.append(1)
    return native.wait(600)
def call():
    begun.append(1)
    answers.append(host.run(hang))
calls = [threading.Thread(target=call) for _ in range(60)]
for each in calls:
    each.start()
wait_until(lambda: len(begun) == 60 and len(inside) >= 12, '12 of 60 calls')
other = threading.Thread(target=lambda: answers.append(concurrency.offload(lambda: 'other')), daemon=True)
other.start()
other.join(LONG)
if answers != ['other']:
    sys.stderr.write(f'while libvirtd hangs: {answers}')
    sys.stderr.flush()
    os._exit(1)
native.set()
for each in calls:
    each.join(LONG)
assert answers == ['other', *[True] * 60], answers
"""


@pytest.mark.parametrize('mode', ['eventlet', 'threading'])
def test_other_blocking_calls_go_on(mode: str) -> None:
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', RUN, mode], cwd=ROOT, capture_output=True, text=True,
                          timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
