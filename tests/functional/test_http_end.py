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
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.functional.standalone import ROOT, wait_for
from tests.ports import free_ports
from tests.waiting import LONG

Start = Callable[..., subprocess.Popen[str]]
MANY = b'GET / HTTP/1.1\r\nHost: here\r\n\r\n' * 1000


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


def to(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection('127.0.0.1', port, timeout=LONG)


def get(connection: http.client.HTTPConnection, path: str = '/') -> http.client.HTTPResponse:
    connection.request('GET', path)
    answer = connection.getresponse()
    answer.read()
    return answer


def test_open_connections_are_served_to_the_end(start: Start) -> None:
    """Connections are taken as well, as long as there are others."""
    port, = free_ports(1)
    process = start(port, grace=LONG)
    busy, idle, silent, late = (to(port) for _ in range(4))
    assert get(idle).getheader('Connection') != 'close'
    silent.connect()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(get, busy, '/slow')
        assert get(late, '/inside').status == 200
        process.send_signal(signal.SIGTERM)
        wait_for(lambda: get(late).getheader('Connection') == 'close', LONG, 'the last answers')
        for connection in (late, idle, silent):  # the last was connected before, and says something only now
            answer = get(connection)
            assert (answer.status, answer.getheader('Connection')) == (200, 'close')
        assert not slow.done()
        assert get(late, '/go').status == 200
        assert slow.result().status == 200
    assert process.wait(LONG) == 0, 'nobody is left to wait for'
    with pytest.raises(ConnectionRefusedError):
        get(late)


def test_a_client_that_never_waits_leaves_others_their_turn(start: Start) -> None:
    """With green threads a socket that always has something switches to no other one."""
    port, = free_ports(1)
    start(port)
    ended = threading.Event()
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(4) as pool:
        for _ in range(2):
            flood = stack.enter_context(socket.create_connection(('127.0.0.1', port), timeout=LONG))
            pool.submit(lambda flood=flood: [flood.sendall(MANY) for _ in iter(ended.is_set, True)])
            pool.submit(lambda flood=flood: [flood.recv(1 << 20) for _ in iter(ended.is_set, True)])
        try:
            assert [get(to(port)).status for _ in range(3)] == [200] * 3
        finally:
            ended.set()


def test_silent_connections_hold_nobody_up(start: Start) -> None:
    port, = free_ports(1)
    start(port)
    with contextlib.ExitStack() as stack:
        for _ in range(60):
            stack.enter_context(socket.create_connection(('127.0.0.1', port)))
        connection = to(port)
        assert [get(connection).status for _ in range(3)] == [200] * 3


def test_idle_connections_do_not_hold_up_the_end(start: Start) -> None:
    port, = free_ports(1)
    process = start(port)
    idle = to(port)
    assert get(idle).status == 200
    process.send_signal(signal.SIGTERM)
    assert process.wait(LONG) == 0
    assert idle.sock.recv(1) == b''


def test_a_request_waits_at_a_socket_that_outlives_the_process(start: Start) -> None:
    """Two processes share a listening socket. What comes while neither runs is answered by the next one."""
    with contextlib.closing(socket.create_server(('127.0.0.1', 0), backlog=200)) as listener:
        port = listener.getsockname()[1]
        both = [start(port, listener, grace=0.1) for _ in range(2)]
        for process in both:
            process.send_signal(signal.SIGTERM)
        assert [process.wait(LONG) for process in both] == [0, 0]
        with ThreadPoolExecutor(1) as pool:
            waits = to(port)
            waits.connect()
            answer = pool.submit(get, waits)
            start(port, listener)
            assert answer.result().status == 200
