"""What a daemon on native threads still owes an answer to when it stops, and how much of headers it reads."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
import requests
from cheroot import connections

from compute import concurrency, http_server
from compute.http_server import HttpServer
from tests.waiting import LONG, deadline, wait_until

pytestmark = pytest.mark.skipif(concurrency.is_green(), reason='native threads only; test_green_http is the other')


def hello(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    start_response('200 OK', [('Content-Type', 'text/plain'), ('Content-Length', '5')])
    return [b'hello']


def held(reached: threading.Event, go_on: threading.Event, call: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``call``, which waits after it until it may go on."""
    def waits(*arguments: Any, **named: Any) -> Any:
        result = call(*arguments, **named)
        if result is not None:
            reached.set()
            go_on.wait(LONG)
        return result
    return waits


@pytest.fixture
def server() -> Iterator[HttpServer]:
    made = HttpServer(hello, '127.0.0.1', 0, 4)
    made.shared = True  # what is not accepted is another process's
    yield made
    made.stop()


def test_a_connection_that_is_just_accepted_is_waited_for(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    reached, go_on = threading.Event(), threading.Event()
    monkeypatch.setattr(connections.ConnectionManager, '_from_server_socket',
                        held(reached, go_on, connections.ConnectionManager._from_server_socket))
    server.start()
    with socket.create_connection(('127.0.0.1', server.port), timeout=LONG) as client, ThreadPoolExecutor(1) as ending:
        assert reached.wait(LONG)
        ended = ending.submit(server.drain, LONG, deadline(2 * LONG))
        wait_until(lambda: server._told, 'the stop')
        go_on.set()
        wait_until(server._backend.connections, 'the connection')
        client.sendall(b'GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n')
        assert client.recv(100).startswith(b'HTTP/1.1 200')
        assert ended.result()


def test_a_connection_that_a_thread_just_took_is_busy(server: HttpServer) -> None:
    reached, go_on, pool = threading.Event(), threading.Event(), server._backend._server.requests
    pool.get = held(reached, go_on, pool.get)
    server.start()
    with requests.Session() as session, ThreadPoolExecutor(1) as asking:
        answer = asking.submit(session.get, f'http://127.0.0.1:{server.port}/', timeout=LONG)
        assert reached.wait(LONG)
        assert server._backend.busy() == 1
        go_on.set()
        assert answer.result().status_code == 200


def test_what_is_idle_is_not_busy(server: HttpServer) -> None:
    server.start()
    with requests.Session() as session:
        assert session.get(f'http://127.0.0.1:{server.port}/', timeout=LONG).status_code == 200
        wait_until(lambda: not server._backend.busy(), 'the end of the request')
        assert (server._backend.busy(), server._backend.connections()) == (0, 1)
        assert server.drain(0.1, deadline())
    assert server._backend.connections() == 0


def test_nothing_is_open_any_more_when_the_threads_end(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that came between the end of the loop and that of its connection would have no answer."""
    left: list[int] = []
    stop = connections.ConnectionManager.stop

    def stopped(self: connections.ConnectionManager) -> None:
        left.append(server._backend.connections())
        stop(self)
    monkeypatch.setattr(connections.ConnectionManager, 'stop', stopped)
    server.start()
    with requests.Session() as session:
        assert session.get(f'http://127.0.0.1:{server.port}/', timeout=LONG).status_code == 200
        assert server.drain(0.1, deadline())
        assert left == [0]


def answer_on(client: socket.socket) -> bytes:
    """Return the next answer, which may come in pieces."""
    got = b''
    while not got.endswith(b'hello') and (more := client.recv(1000)):
        got += more
    return got


def test_what_came_to_a_connection_that_is_to_be_closed_is_answered(server: HttpServer) -> None:
    server.start()
    manager, asked, request = server._backend._server._connections, [], b'GET / HTTP/1.1\r\nHost: here\r\n\r\n'
    select = manager._select
    with socket.create_connection(('127.0.0.1', server.port), timeout=LONG) as client, ThreadPoolExecutor(1) as ending:

        def misses_one(timeout: float | None = None) -> Any:
            """Return before a request comes, which is there when the loop closes what is idle."""
            if not manager.server.draining or asked:
                return select(timeout=0.01)
            wait_until(lambda: manager.server.idle_age is not None, 'the closing of idle connections')
            for connection in manager.server.open:
                connection.last_used = 0  # it was idle for long
            client.sendall(request)
            asked.append(True)
            return []
        manager._select = misses_one
        client.sendall(request)  # the loop turns
        assert answer_on(client).startswith(b'HTTP/1.1 200')
        ended = ending.submit(server.drain, 0.1, deadline())
        answer = answer_on(client)
        assert answer.startswith(b'HTTP/1.1 200') and b'Connection: close' in answer
        assert ended.result() and asked


def test_who_asks_within_the_grace_is_told_to_connect_anew(server: HttpServer) -> None:
    """Also when the daemon's other parts took some of it, and connections are taken all the time."""
    server.shared = False
    server.start()
    with requests.Session() as session, requests.Session() as other, ThreadPoolExecutor(1) as ending:
        where = f'http://127.0.0.1:{server.port}/'
        assert session.get(where, timeout=LONG).status_code == 200
        ended = ending.submit(server.drain, 2 * LONG, deadline(4 * LONG))
        wait_until(lambda: server._told, 'the stop')
        for client in (other, session):
            answer = client.get(where, timeout=LONG)
            assert (answer.status_code, answer.headers['Connection']) == (200, 'close')
        assert ended.result(LONG), 'nobody was left to wait for'


def test_a_connection_that_was_just_answered_is_kept_a_moment(server: HttpServer) -> None:
    """Its answer began before the stop, and did not say that it is the last."""
    server.start()
    where = f'http://127.0.0.1:{server.port}/'
    with requests.Session() as session, requests.Session() as other:
        assert session.get(where, timeout=LONG).status_code == 200
        server._backend.close_idle(0.5)
        assert other.get(where, timeout=LONG).status_code == 200  # the loop has turned
        assert server._backend.connections() == 2
        for connection in server._backend._server.open:
            connection.last_used = 0
        assert requests.get(where, headers={'Connection': 'close'}, timeout=LONG).status_code == 200
        wait_until(lambda: not server._backend.connections(), 'the end of all connections')


def test_who_came_before_a_server_answered_at_all_is_answered_at_its_end(server: HttpServer) -> None:
    server.shared = False
    with ThreadPoolExecutor(1) as asking:
        answer = asking.submit(requests.get, f'http://127.0.0.1:{server.port}/', timeout=LONG)
        wait_until(lambda: http_server._waits(server._listener), 'the connection')
        assert server.drain(1, deadline())
        assert answer.result().status_code == 200


def test_an_end_that_meets_a_start_waits_for_it(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    reached, go_on, prepare = threading.Event(), threading.Event(), server._backend._server.prepare

    def slowly() -> None:
        reached.set()
        go_on.wait(LONG)
        prepare()
    monkeypatch.setattr(server._backend._server, 'prepare', slowly)
    starting = threading.Thread(target=server.start)
    starting.start()
    assert reached.wait(LONG)
    with ThreadPoolExecutor(1) as ending:
        ended = ending.submit(server.drain, 0.1, deadline())
        wait_until(lambda: server._told, 'the stop')
        go_on.set()
        assert ended.result()
    starting.join()


def test_who_waits_at_the_end_is_taken_although_there_was_no_descriptor(server: HttpServer,
                                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    server.shared = False
    server.start()
    accept, failed = server._backend._server.refuse, []
    manager = server._backend._server._connections
    taken = manager.accepted

    def fails_once(listener: Any) -> Any:
        if not failed:
            failed.append(True)
            raise OSError(errno.EMFILE, 'no descriptor')
        return taken(listener)

    def refuse(empty: bool) -> None:
        with server._backend._server.door:  # the loop takes none meanwhile
            server._backend._server.refuses = True
        client.connect(('127.0.0.1', server.port))
        client.sendall(b'GET / HTTP/1.1\r\nHost: here\r\n\r\n')
        accept(empty)
    monkeypatch.setattr(manager, 'accepted', fails_once)
    monkeypatch.setattr(server._backend._server, 'refuse', refuse)
    with socket.socket() as client:
        client.settimeout(LONG)
        assert server.drain(0.1, deadline())
        assert client.recv(1000).startswith(b'HTTP/1.1 200') and failed


def test_a_stop_gives_what_runs_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is longer here, so that the answer is not a matter of time."""
    monkeypatch.setattr(http_server, '_LAST', LONG)
    reached, go_on = threading.Event(), threading.Event()

    def slowly(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        reached.set()
        go_on.wait(LONG)
        return hello(environ, start_response)
    server = HttpServer(slowly, '127.0.0.1', 0, 2)
    server.start()
    with ThreadPoolExecutor(2) as pool:
        answer = pool.submit(requests.get, f'http://127.0.0.1:{server.port}/', timeout=LONG)
        assert reached.wait(LONG)
        ended = pool.submit(server.stop)
        wait_until(lambda: server._told, 'the stop')
        go_on.set()
        assert answer.result().status_code == 200 and ended.result()


def test_more_than_a_few_connections_are_kept(server: HttpServer) -> None:
    server.start()
    sessions = [requests.Session() for _ in range(20)]
    for session in sessions * 2:
        answer = session.get(f'http://127.0.0.1:{server.port}/', timeout=LONG)
        assert answer.headers.get('Connection', 'keep-alive').lower() == 'keep-alive'
    assert server._backend.connections() == 20
    for session in sessions:
        session.close()


@pytest.mark.parametrize('line', [b'X-%d: %s\r\n', b' %d %s\r\n', b'%d%s'], ids=['many', 'folded', 'one'])
def test_headers_without_end_are_refused(server: HttpServer, line: bytes) -> None:
    server.start()
    with socket.create_connection(('127.0.0.1', server.port), timeout=LONG) as client:
        client.sendall(b'GET / HTTP/1.1\r\nHost: here\r\nX: ')
        with suppress(OSError):
            for number in range(1000):
                client.sendall(line % (number, b'a' * 1000))
        with suppress(ConnectionError):  # what was not read undoes the answer
            assert client.recv(100).startswith(b'HTTP/1.1 413')


def test_large_headers_are_taken(server: HttpServer) -> None:
    server.start()
    headers = {f'X-{number}': 'a' * 8000 for number in range(7)}
    assert requests.get(f'http://127.0.0.1:{server.port}/', headers=headers, timeout=LONG).status_code == 200
