"""An HTTP server that is told to stop loses no request, on green and on native threads."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.functional.standalone import ROOT, wait_for
from tests.ports import free_ports

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture(params=['threading', 'eventlet'])
def start(request: pytest.FixtureRequest) -> Iterator[Start]:
    """Return what starts a process on a port, or on a socket as systemd passes it."""
    running: list[subprocess.Popen[str]] = []

    def begin(port: int, listener: socket.socket | None = None, grace: float = 2) -> subprocess.Popen[str]:
        environment = {**os.environ, 'COMPUTE_CONCURRENCY': request.param, 'PYTHONWARNINGS': 'ignore'}
        command, passed = [sys.executable, '-m', 'tests.functional.http_process', str(port), str(grace)], ()
        if listener is not None:
            environment['LISTEN_FDS'] = '1'
            passed = (listener.fileno(),)
            # The number of the process is known, and number 3 is free, only in the process itself.
            script = f'exec 3<&{listener.fileno()}; LISTEN_PID=$$ exec "$@"'
            command = ['/bin/bash', '-c', script, 'bash', *command]
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True,
                                   pass_fds=passed)
        running.append(process)
        assert process.stdout is not None and process.stdout.readline() == 'ready\n'
        return process
    yield begin
    for process in running:
        process.kill()
        process.communicate()


def get(connection: http.client.HTTPConnection, path: str = '/') -> http.client.HTTPResponse:
    connection.request('GET', path)
    answer = connection.getresponse()
    answer.read()
    return answer


def test_open_connections_are_served_to_the_end(start: Start) -> None:
    """Connections are taken as well, as long as there are others."""
    port, = free_ports(1)
    process = start(port, grace=12)
    busy, idle, silent, late = (http.client.HTTPConnection('127.0.0.1', port, timeout=20) for _ in range(4))
    assert get(idle).getheader('Connection') != 'close'
    silent.connect()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(get, busy, '/slow')
        wait_for(lambda: busy.sock is not None, 10, 'the slow request')
        process.send_signal(signal.SIGTERM)
        wait_for(lambda: get(late).getheader('Connection') == 'close', 10, 'the last answers')
        for connection in (late, idle, silent):  # the last was connected before, and says something only now
            answer = get(connection)
            assert (answer.status, answer.getheader('Connection')) == (200, 'close')
        assert slow.result().status == 200
    assert process.wait(10) == 0, 'nobody is left to wait for'
    with pytest.raises(ConnectionRefusedError):
        get(late)


def test_silent_connections_hold_nobody_up(start: Start) -> None:
    port, = free_ports(1)
    start(port)
    with contextlib.ExitStack() as stack:
        for _ in range(60):
            stack.enter_context(socket.create_connection(('127.0.0.1', port)))
        connection = http.client.HTTPConnection('127.0.0.1', port, timeout=10)
        assert [get(connection).status for _ in range(3)] == [200] * 3


def test_idle_connections_do_not_hold_up_the_end(start: Start) -> None:
    port, = free_ports(1)
    process = start(port)
    idle = http.client.HTTPConnection('127.0.0.1', port, timeout=20)
    assert get(idle).status == 200
    process.send_signal(signal.SIGTERM)
    assert process.wait(8) == 0
    assert idle.sock.recv(1) == b''


def test_a_socket_that_outlives_the_process_loses_nothing(start: Start) -> None:
    """Two processes share a listening socket and are replaced in turn, at last both at once."""
    with contextlib.closing(socket.create_server(('127.0.0.1', 0), backlog=200)) as listener:
        port = listener.getsockname()[1]
        stop = threading.Event()

        seen: set[str] = set()

        def load(kept: bool) -> int:
            count = 0
            connection = http.client.HTTPConnection('127.0.0.1', port, timeout=20)
            while not stop.is_set():
                connection.request('GET', '/')
                answer = connection.getresponse()
                assert answer.status == 200
                seen.add(answer.read().decode())
                count += 1
                if not kept:
                    connection.close()
            return count

        def begin() -> subprocess.Popen[str]:
            process = start(port, listener)
            wait_for(lambda: str(process.pid) in seen or not loads, 20, f'an answer of {process.pid}')
            return process
        loads: list[Future[int]] = []
        processes = [begin() for _ in range(2)]
        with ThreadPoolExecutor(4) as pool:
            loads += [pool.submit(load, kept) for kept in (True, False, True, False)]
            try:
                for number in range(2):
                    processes[number].send_signal(signal.SIGTERM)
                    assert processes[number].wait(20) == 0
                    processes[number] = begin()
                for process in processes:
                    process.send_signal(signal.SIGTERM)
                assert [process.wait(20) for process in processes] == [0, 0]
                begin()
            finally:
                stop.set()
            assert sum(each.result(30) for each in loads) > 100
