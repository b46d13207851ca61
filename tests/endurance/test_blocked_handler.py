"""A handler that is blocked for 20 s in a C call delays no other RPC of its process, on green and on native threads.

The connection to the broker lives on meanwhile: its heartbeats are due every two seconds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from compute import context as ctx
from compute import exception
from compute.rpc.transport import Rpc
from tests.endurance.conftest import Figures
from tests.functional.standalone import ROOT, wait_for
from tests.ports import free_ports
from tests.real.blocked_process import Blocking, connect
from tests.real.cluster_services import Broker, missing

pytestmark = pytest.mark.skipif(bool(missing()), reason=f'not installed: {", ".join(missing())}')
MODES = ('threading', 'eventlet')
CONTROL = 'control'  # a process that nothing blocks: what delays its answers delays those of the others as well
BLOCKED, HANDLERS = 20, 4


@pytest.fixture
def rpc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rpc]:
    """Three processes run, one of each mode and one to compare with; the result reaches them."""
    broker = Broker(tmp_path_factory.mktemp('b') / 'mq', free_ports(3))
    running: list[subprocess.Popen[bytes]] = []
    try:
        broker.start()
        for mode in (*MODES, CONTROL):
            running.append(subprocess.Popen(
                [sys.executable, '-W', 'ignore', '-m', 'tests.real.blocked_process', broker.url, mode, str(BLOCKED)],
                cwd=ROOT, env={**os.environ, 'COMPUTE_CONCURRENCY': mode if mode in MODES else MODES[0]}))
        connection = connect(broker.url)
        for mode in (*MODES, CONTROL):
            wait_for(lambda mode=mode: answers(connection, mode), 60, mode)  # type: ignore[misc]
        yield connection
        connection.close()
    finally:
        for process in running:
            process.kill()
            process.wait()
        broker.remove()


def answers(rpc: Rpc, mode: str) -> bool:
    try:
        return rpc.client(Blocking, mode).blocked(ctx.internal()) == [0, 0]
    except exception.Unavailable:
        return False


def longest(rpc: Rpc, mode: str, end: float) -> float:
    """Call again and again and return what the slowest call took; all come while handlers are blocked."""
    client, found = rpc.client(Blocking, mode), 0.0
    while time.monotonic() < end:
        begin = time.monotonic()
        assert client.blocked(ctx.internal()) == [HANDLERS if mode in MODES else 0, 0]
        found = max(found, time.monotonic() - begin)
        threading.Event().wait(0.02)  # the machine is shared with what is measured
    return found


def test_a_blocked_handler_delays_no_other_call(rpc: Rpc, figures: Figures) -> None:
    with ThreadPoolExecutor(3) as pool:
        end = time.monotonic() + BLOCKED - 4
        for mode in MODES:
            for _ in range(HANDLERS):
                rpc.client(Blocking, mode).block(ctx.internal())
        for mode in MODES:
            wait_for(lambda mode=mode: rpc.client(Blocking, mode).blocked(ctx.internal()) == [HANDLERS, 0],  # type: ignore[misc]
                     10, 'blocked handlers')
        asked = (*MODES, CONTROL)
        found = dict(zip(asked, pool.map(lambda mode: longest(rpc, mode, end), asked), strict=True))
    for mode in MODES:
        assert found[mode] > 0, 'no call was made while handlers were blocked'
        figures.at_most(f'slowest call beside {HANDLERS} blocked handlers, {mode}, seconds', found[mode],
                        found[CONTROL] + 1)
        wait_for(lambda mode=mode: rpc.client(Blocking, mode).blocked(ctx.internal()) == [HANDLERS] * 2,  # type: ignore[misc]
                 30, 'the end of the C calls')
