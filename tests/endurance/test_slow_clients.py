"""500 connections with unfinished requests do not stop an HTTP server; how long other clients wait."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.endurance.conftest import Figures
from tests.functional.standalone import ROOT, wait_for
from tests.ports import free_ports

CONNECTIONS = 500
ROUNDS = 50
GET = b'GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n'
PARTS = {
    'silent': b'',
    'headers': b'GET / HTTP/1.1\r\nHost: he',
    'body': b'POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 1000\r\n\r\n{',
    'chunks': b'POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab',
}


@pytest.fixture(params=['threading', 'eventlet'])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    """Return the port of a server with 20 slots."""
    found, = free_ports(1)
    environment = {**os.environ, 'COMPUTE_CONCURRENCY': request.param, 'PYTHONWARNINGS': 'ignore'}
    process = subprocess.Popen([sys.executable, '-m', 'tests.functional.http_process', str(found), '1'], cwd=ROOT,
                               env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == 'ready\n'
    yield found
    process.kill()
    process.communicate()


def ask(port: int) -> float:
    """Return the seconds that one request took."""
    begin = time.monotonic()
    with socket.create_connection(('127.0.0.1', port), timeout=30) as client:
        client.sendall(GET)
        answer = b''.join(iter(lambda: client.recv(1000), b''))
    assert answer.startswith(b'HTTP/1.1 200'), answer
    return time.monotonic() - begin


@pytest.mark.parametrize('part', PARTS)
def test_unfinished_requests_stop_nobody(port: int, part: str, figures: Figures) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4 * CONNECTIONS)), hard))
    alone = sorted(ask(port) for _ in range(ROUNDS))
    with ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(('127.0.0.1', port), timeout=30))
                   for _ in range(CONNECTIONS)]
        for client in clients:
            client.sendall(PARTS[part])
        beside = sorted(ask(port) for _ in range(ROUNDS))
        figures.note('median of a request alone [ms]', alone[ROUNDS // 2] * 1000)
        figures.note(f'median beside {CONNECTIONS} unfinished ones [ms]', beside[ROUNDS // 2] * 1000)
        figures.at_most(f'slowest of {ROUNDS} beside them [s]', beside[-1], 5.0)
    wait_for(lambda: ask(port) < 30, 30, 'an answer after they went')
