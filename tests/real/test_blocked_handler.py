"""Handlers that are blocked in a C call let every other RPC of their process through, on green and on native threads.

The calls end when the test says so. How long the others take is measured by the endurance set.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from compute import context as ctx
from compute import exception
from tests.functional.standalone import ROOT
from tests.ports import free_ports
from tests.real.blocked_process import Blocking, connect
from tests.real.cluster_services import Broker, missing
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(bool(missing()), reason=f'not installed: {", ".join(missing())}')
MODES = ('threading', 'eventlet')
HANDLERS = 4


def test_other_calls_are_answered_while_handlers_are_blocked(tmp_path: Path) -> None:
    broker = Broker(tmp_path / 'mq', free_ports(3))
    running: list[subprocess.Popen[bytes]] = []
    try:
        broker.start()
        for mode in MODES:
            os.mkfifo(tmp_path / mode)
            running.append(subprocess.Popen(
                [sys.executable, '-W', 'ignore', '-m', 'tests.real.blocked_process', broker.url, mode,
                 str(tmp_path / mode)], cwd=ROOT, env={**os.environ, 'COMPUTE_CONCURRENCY': mode}))
        rpc = connect(broker.url)
        for mode in MODES:
            client = rpc.client(Blocking, mode)

            def shows(begun: int, ended: int, client: Blocking = client) -> bool:
                try:
                    return client.blocked(ctx.internal()) == [begun, ended]
                except exception.Unavailable:
                    return False
            wait_until(lambda: shows(0, 0), mode)
            for _ in range(HANDLERS):
                client.block(ctx.internal())
            wait_until(lambda: shows(HANDLERS, 0), 'blocked handlers')
            assert [client.blocked(ctx.internal()) for _ in range(20)] == [[HANDLERS, 0]] * 20
            with open(tmp_path / mode, 'wb') as let_go:
                let_go.write(b'x' * HANDLERS)
            wait_until(lambda: shows(HANDLERS, HANDLERS), 'the end of the C calls')
        rpc.close()
    finally:
        for process in running:
            process.kill()
            process.wait()
        broker.remove()
