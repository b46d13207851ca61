"""What a server still owes an answer to when it stops."""

from __future__ import annotations

import errno
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from compute import http_server
from compute.http_threads import ThreadedHttp
from tests.unit.http.serving import GET, Application, Start, answer, ask, asked, connect, eventually
from tests.waiting import LONG, deadline


class Failing:
    """A listening socket of which one accept fails for each item of ``failures``."""

    def __init__(self, listener: Any, failures: list[bool]) -> None:
        self._listener, self._failures = listener, failures

    def __getattr__(self, name: str) -> Any:
        return getattr(self._listener, name)

    def accept(self) -> Any:
        """Accept, or fail."""
        if self._failures:
            self._failures.pop()
            raise OSError(errno.EMFILE, 'no descriptor')
        return self._listener.accept()


def test_a_connection_that_was_taken_and_says_nothing_yet_is_waited_for(start: Start) -> None:
    server = start()
    server.shared = True
    with connect(server) as client, ThreadPoolExecutor(1) as ending:
        eventually(lambda: server._backend.connections() == 1)
        ended = ending.submit(server.drain, 10, deadline())
        eventually(lambda: server._backend._draining)
        client.sendall(GET)
        status, headers, _ = answer(client)
        assert (status, headers['connection']) == (200, 'close')
        assert ended.result(LONG)


def test_a_request_that_came_and_is_not_read_is_busy(start: Start) -> None:
    server = start(begins=False)
    with connect(server) as client:
        client.sendall(GET)
        sock, address = server._listener.accept()
        connection = server._backend._open.open(sock, address, server.port)
        eventually(lambda: not connection.is_idle())
        assert server._backend.busy() == 1
        server._backend._open.close(connection)


def test_what_is_idle_is_not_busy_and_is_closed_at_the_end(start: Start) -> None:
    server = start()
    with connect(server) as client:
        client.sendall(GET)
        assert answer(client)[0] == 200
        eventually(lambda: not server._backend.busy())
        assert server._backend.connections() == 1
        assert server.drain(0.1, deadline())
        assert client.recv(1) == b''
    assert server._backend.connections() == 0


def test_a_connection_that_was_just_answered_is_kept_a_moment(start: Start) -> None:
    """Its answer began before the stop, and did not say that it is the last."""
    server = start()
    with connect(server) as client, connect(server) as other:
        for each in (client, other):
            each.sendall(GET)
            assert answer(each)[0] == 200
        server._backend.close_idle(100)
        assert ask(server)[0] == 200
        assert [each.closed for each in server._backend._open.all()][:2] == [False, False]
        eventually(lambda: all(each.is_idle() for each in server._backend._open.all()))
        for each in server._backend._open.all():
            each.reader.since = -1000
        server._backend.close_idle(100)
        assert [client.recv(1), other.recv(1)] == [b'', b'']


def test_what_is_dropped_behind_a_last_answer_is_no_request_that_is_cut_off(start: Start) -> None:
    server = start()
    with connect(server) as client:
        client.sendall(asked('POST', '/echo', 'Content-Length: 200000', body=b'x' * 1000))
        assert answer(client)[0] == 413
        eventually(lambda: all(each.lingers for each in server._backend._open.all()))
        assert not server._backend.busy()


def test_the_sockets_of_others_send_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(('127.0.0.1', 0)) as listener:
        port = listener.getsockname()[1]
        monkeypatch.setattr(http_server, '_given', {port: listener.detach()})
        given = http_server.inherited('127.0.0.1', port)
        assert given is not None
        with given:
            assert given.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_requests_that_run_are_answered_at_the_end(start: Start, application: Application) -> None:
    server = start()
    with connect(server) as client, ThreadPoolExecutor(1) as ending:
        client.sendall(asked('GET', '/wait'))
        assert application.reached.acquire(timeout=LONG)
        ended = ending.submit(server.drain, 0.1, deadline())
        eventually(lambda: server._backend._draining)
        application.go.set()
        status, headers, _ = answer(client)
        assert (status, headers['connection']) == (200, 'close') and ended.result(LONG)


def test_who_came_before_a_server_answered_at_all_is_answered_at_its_end(start: Start) -> None:
    server = start(begins=False)
    with connect(server) as client:
        client.sendall(GET)
        eventually(lambda: http_server._waits(server._listener))
        assert server.drain(1, deadline())
        assert answer(client)[0] == 200


def test_who_waits_at_the_end_is_taken_although_there_was_no_descriptor(start: Start) -> None:
    server = start(begins=False)
    backend, failures = server._backend, [True]

    with connect(server) as client:
        client.sendall(GET)
        eventually(lambda: http_server._waits(server._listener))
        backend._listener = Failing(server._listener, failures)
        if isinstance(backend, ThreadedHttp):
            server._listener.setblocking(False)
        server._started = True
        backend.refuse(empty=True)
        assert backend.connections() == 1 and not failures


class Noted:
    """An epoll that keeps for how long it was waited."""

    def __init__(self, epoll: Any) -> None:
        self._epoll = epoll
        self.waits: list[float | None] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._epoll, name)

    def poll(self, seconds: float | None) -> Any:
        """Wait."""
        self.waits.append(seconds)
        return self._epoll.poll(seconds)


def test_a_server_without_connections_waits_until_something_can_be_late(start: Start) -> None:
    server = start(begins=False, idle_timeout=0.1)
    backend = server._backend
    if not isinstance(backend, ThreadedHttp):
        pytest.skip('a green thread waits for each connection')
    backend._epoll = noted = Noted(backend._epoll)  # type: ignore[assignment]
    server.start()
    eventually(lambda: noted.waits == [None])
    with connect(server) as client:
        assert client.recv(1) == b'', 'it is idle for too long'
    eventually(lambda: noted.waits[-1] is None)
    backend.refuse(empty=False)
    eventually(lambda: noted.waits[-1] is not None)


def test_many_connections_are_kept(start: Start) -> None:
    server = start()
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(server)) for _ in range(20)]
        for client in clients * 2:
            client.sendall(GET)
            assert 'connection' not in answer(client)[1]
        assert server._backend.connections() == 20


def test_a_failure_to_accept_is_not_the_last_word(start: Start) -> None:
    """No descriptor is left for a moment: open connections are served meanwhile, and then new ones again."""
    server = start()
    backend, failures = server._backend, [True]
    with connect(server) as open_before:
        open_before.sendall(GET)
        assert answer(open_before)[0] == 200
        backend._listener = Failing(server._listener, failures)
        with connect(server) as client:
            eventually(lambda: not failures)
            for each in (open_before, client):
                each.sendall(GET)
                assert answer(each)[0] == 200
