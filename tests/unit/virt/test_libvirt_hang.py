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
import threading, time
from compute.virt.libvirt.host import Host
from tests.contract.virt.making import make_conf
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
    return native.wait(60)
def call():
    begun.append(1)
    answers.append(host.run(hang))
calls = [threading.Thread(target=call) for _ in range(60)]
for each in calls:
    each.start()
end = time.monotonic() + 20
while len(begun) < 60 or len(inside) < 12:
    assert time.monotonic() < end, (len(begun), len(inside))
    time.sleep(0.01)
other = threading.Thread(target=lambda: answers.append(concurrency.offload(lambda: 'other')), daemon=True)
other.start()
other.join(5)
if answers != ['other']:
    sys.stderr.write(f'while libvirtd hangs: {answers}')
    sys.stderr.flush()
    os._exit(1)
native.set()
for each in calls:
    each.join(20)
assert answers == ['other', *[True] * 60], answers
"""


@pytest.mark.parametrize('mode', ['eventlet', 'threading'])
def test_other_blocking_calls_go_on(mode: str) -> None:
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', RUN, mode], cwd=ROOT, capture_output=True, text=True,
                          timeout=100, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
