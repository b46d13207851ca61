"""One connection stepped by hand: what takes a slot, what is read within which time, how it is answered."""

from __future__ import annotations

import json
import logging
import socket
import struct
import sys
from contextlib import ExitStack, suppress
from typing import Any, cast

import pytest
import requests

from compute.http.connection import Connections, readable
from compute.http.reader import Reader, Request
from compute.http.rules import Rules
from compute.http_green import GreenHttp
from compute.http_threads import ThreadedHttp
from compute.http_workers import Streams
from tests.unit.http.serving import GET, SLOTS, Application, Start, answer, ask, asked, connect, eventually
from tests.waiting import LONG

# -- what costs no slot --

@pytest.mark.parametrize('part', [
    b'', b'GET / HTTP/1.1\r\nHo', asked('POST', '/echo', 'Content-Length: 100', body=b'half'),
    asked('POST', '/echo', 'Transfer-Encoding: chunked', body=b'5\r\nhel'),
    asked('POST', '/echo', 'Content-Length: 100', 'Expect: 100-continue')],
    ids=['nothing', 'headers', 'body', 'chunks', 'permission'])
def test_unfinished_requests_hold_no_slot(start: Start, part: bytes) -> None:
    server = start()
    with ExitStack() as stack:
        for _ in range(5 * SLOTS):
            stack.enter_context(connect(server)).sendall(part)
        eventually(lambda: server._backend.connections() == 5 * SLOTS)
        assert ask(server)[0] == 200


def test_a_client_that_does_not_take_its_answer_holds_no_slot(start: Start) -> None:
    server = start()
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(server)) for _ in range(3 * SLOTS)]
        for client in clients:
            client.sendall(asked('GET', '/large', 'Connection: close'))
        assert ask(server)[0] == 200
        for client in clients:
            assert len(answer(client)[2]) == 8 << 20


def test_a_stream_has_a_pool_of_its_own(start: Start, application: Application) -> None:
    server = start(streams=1)
    with connect(server) as stuck, connect(server) as waits:
        stuck.sendall(asked('PUT', '/file/wait', 'Content-Length: 5'))
        assert application.reached.acquire(timeout=LONG)
        waits.sendall(asked('PUT', '/file', 'Content-Length: 5', body=b'hello'))
        eventually(lambda: server._backend.busy() == 2)
        assert ask(server)[0] == 200, 'a slot is free'
        assert ask(server, asked('GET', '/file'))[0] == 200, 'downloads do not wait for uploads'
        application.go.set()
        assert answer(waits)[2] == b'got hello'


def test_clients_invent_no_further_pools_of_streams(start: Start, application: Application) -> None:
    server = start(streams=1)
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(server)) for _ in range(3)]
        for client, method in zip(clients, ('PUT', 'INVENTED', 'POST'), strict=True):
            client.sendall(asked(method, '/file/wait', 'Content-Length: 0'))
        assert application.reached.acquire(timeout=LONG)
        eventually(lambda: server._backend.busy() == 3)
        assert not application.reached.acquire(timeout=0.1)
        application.go.set()
        assert [answer(client)[0] for client in clients] == [200] * 3
    assert len(server._backend._streams) == 2


def test_all_slots_are_used_and_no_more(start: Start, application: Application) -> None:
    server = start()
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(server)) for _ in range(SLOTS + 1)]
        for client in clients:
            client.sendall(asked('GET', '/wait'))
        for _ in range(SLOTS):
            assert application.reached.acquire(timeout=LONG)
        eventually(lambda: server._backend.busy() == SLOTS + 1)
        assert not application.reached.acquire(timeout=0.1)
        application.go.set()
        assert [answer(client)[0] for client in clients] == [200] * (SLOTS + 1)


def test_an_address_has_only_so_many_connections(start: Start) -> None:
    server = start(per_address=2)
    with connect(server) as one, connect(server) as two:
        for client in (one, two):
            client.sendall(GET)
            assert answer(client)[0] == 200
        with connect(server) as third:
            status, headers, _ = answer(third)
            assert (status, headers['connection']) == (503, 'close') and 'retry-after' in headers
        one.close()
        eventually(lambda: server._backend.connections() == 1)
        assert ask(server)[0] == 200


def test_the_longest_idle_connection_makes_room(start: Start) -> None:
    server = start(connections=2)
    with connect(server) as oldest, connect(server) as newest:
        for client in (oldest, newest):
            client.sendall(GET)
            assert answer(client)[0] == 200
        eventually(lambda: all(each.is_idle() for each in server._backend._open.all()))
        for each in server._backend._open.all():
            each.reader.since -= 100 if each.socket.getpeername() == oldest.getsockname() else 10
        assert ask(server)[0] == 200
        assert oldest.recv(1) == b''
        newest.sendall(GET)
        assert answer(newest)[0] == 200


# -- time --

def test_headers_that_come_too_slowly_are_refused(start: Start) -> None:
    server = start(header_timeout=0.2)
    with connect(server) as client:
        client.sendall(b'GET / HTTP/1.1\r\n')
        assert answer(client)[0] == 408
        assert client.recv(1) == b''


def test_a_body_that_comes_too_slowly_is_refused_by_the_application(start: Start, application: Application) -> None:
    server = start(body_timeout=0.2)
    with connect(server) as client:
        client.sendall(asked('POST', '/echo', 'Content-Length: 100', body=b'half'))
        assert answer(client)[0] == 408
    assert [error.code for error in application.refused] == ['body_too_slow']


def test_a_stream_that_comes_too_slowly_ends(start: Start) -> None:
    server = start(grace=0.2, stream_rate=1000)
    with connect(server) as client:
        client.sendall(asked('PUT', '/file', 'Content-Length: 100', body=b'half'))
        assert answer(client)[2] == b'408 body_too_slow'


# -- bodies --

@pytest.mark.parametrize('path', ['/echo', '/file'])
@pytest.mark.parametrize(('header', 'body'), [
    ('Content-Length: 5', b'hello'), ('Transfer-Encoding: chunked', b'2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n')])
def test_bodies_are_read_and_the_next_request_follows(start: Start, path: str, header: str, body: bytes) -> None:
    server = start()
    with connect(server) as client:
        client.sendall(asked('PUT', path, header, body=body) + GET)
        assert answer(client)[2] == b'got hello'
        assert answer(client)[2] == b'hello'


@pytest.mark.parametrize('path', ['/echo', '/file'])
def test_a_client_that_waits_for_permission_to_send_gets_it(start: Start, path: str) -> None:
    server = start()
    with connect(server) as client:
        client.sendall(asked('PUT', path, 'Content-Length: 5', 'Expect: 100-continue'))
        assert answer(client)[0] == 100
        client.sendall(b'hello')
        assert answer(client)[2] == b'got hello'


@pytest.mark.parametrize('path', ['/echo', '/file'])
def test_a_client_that_does_not_wait_for_permission_gets_none_after_the_answer(start: Start, path: str) -> None:
    server = start()
    with connect(server) as client:
        client.sendall(asked('PUT', path, 'Content-Length: 5', 'Expect: 100-continue', body=b'hello'))
        assert answer(client)[2] == b'got hello'
        client.sendall(asked('GET', '/', 'Connection: close')[:10])
        client.sendall(asked('GET', '/', 'Connection: close')[10:])
        assert answer(client)[0] == 200


@pytest.mark.parametrize(('path', 'request_of'), [('/echo', 'refused'), ('/file', 'stream')])
@pytest.mark.parametrize(('header', 'body'), [('Content-Length: 100', b'half'),
                                              ('Transfer-Encoding: chunked', b'5\r\nhal')])
def test_a_body_that_breaks_off_is_a_bad_request(start: Start, application: Application, path: str, request_of: str,
                                                 header: str, body: bytes, caplog: pytest.LogCaptureFixture) -> None:
    server = start()
    with caplog.at_level(logging.INFO, 'compute'), connect(server) as client:
        client.sendall(asked('PUT', path, header, body=body))
        client.shutdown(socket.SHUT_WR)
        status, _, said = answer(client)
    assert said == b'400 body_broken_off' if request_of == 'stream' else status == 400
    noted = [record for record in caplog.records if 'broke off' in record.getMessage()]
    assert [record.levelno for record in noted] == [logging.INFO]
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


@pytest.mark.parametrize('request_of', [
    asked('POST', '/echo', 'Content-Length: 200000'), asked('PUT', '/unread/file', 'Content-Length: 200000'),
    b'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'], ids=['large', 'unread', 'bad'])
def test_an_answer_before_the_end_of_a_request_is_the_last_and_reaches_its_client(start: Start,
                                                                                  request_of: bytes) -> None:
    server = start()
    with connect(server) as client:
        client.sendall(request_of)
        status, headers, _ = answer(client)
        assert status in (400, 401, 413) and headers['connection'] == 'close'
        with suppress(ConnectionError):  # it was told, and goes on all the same: nothing of that is served
            client.sendall(b'x' * 200000)
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b''
    eventually(lambda: not server._backend.connections())


def test_the_environment_is_that_of_wsgi(start: Start) -> None:
    told = json.loads(ask(start(), asked('POST', '/environ', 'Content-Length: 2', body=b'xy'))[2])
    assert {'REQUEST_METHOD': 'POST', 'PATH_INFO': '/environ', 'SCRIPT_NAME': '', 'QUERY_STRING': '',
            'SERVER_PROTOCOL': 'HTTP/1.1', 'REMOTE_ADDR': '127.0.0.1', 'CONTENT_LENGTH': '2', 'HTTP_HOST': 'here',
            'wsgi.url_scheme': 'http'}.items() <= told.items()
    assert 'CONTENT_TYPE' not in told


# -- answers --

def test_an_answer_of_unknown_length_comes_in_chunks(start: Start) -> None:
    server = start()
    got = requests.get(f'http://127.0.0.1:{server.port}/pieces/file', timeout=LONG)
    assert (got.content, got.headers['Transfer-Encoding']) == (b'hello', 'chunked')
    got = requests.get(f'http://127.0.0.1:{server.port}/pieces', timeout=LONG)
    assert (got.content, got.headers['Content-Length']) == (b'hello', '5'), 'no stream: it is taken whole'
    with connect(server) as client:
        client.sendall(b'GET /pieces/file HTTP/1.0\r\n\r\n')
        assert b''.join(iter(lambda: client.recv(100), b'')).endswith(b'\r\n\r\nhello')


def test_an_answer_that_is_shorter_than_it_says_ends_its_connection(start: Start) -> None:
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        assert requests.get(f'http://127.0.0.1:{start().port}/short/file', timeout=LONG).content


@pytest.mark.parametrize('path', ['/broken', '/bad'])
def test_what_an_application_does_not_catch_is_answered_with_500(start: Start, path: str) -> None:
    server = start()
    status, headers, body = ask(server, asked('GET', path))
    assert (status, headers['connection']) == (500, 'close') and b'oh' not in body and 'x-other' not in headers


@pytest.mark.parametrize('path', ['/', '/pieces', '/pieces/file', '/large'])
def test_head_has_no_body(start: Start, path: str) -> None:
    server = start()
    with connect(server) as client:
        client.sendall(asked('HEAD', path, 'Connection: close'))
        got = b''.join(iter(lambda: client.recv(1000), b''))
    assert got.startswith(b'HTTP/1.1 200') and got.endswith(b'\r\n\r\n')


@pytest.mark.parametrize('line', [b'X-%d: %s\r\n', b' %d %s\r\n', b'%d%s'], ids=['many', 'folded', 'one'])
def test_headers_without_end_are_refused(start: Start, line: bytes) -> None:
    with connect(start()) as client:
        client.sendall(b'GET / HTTP/1.1\r\nHost: here\r\nX: ')
        with suppress(OSError):
            for number in range(100):
                client.sendall(line % (number, b'a' * 1000))
        assert answer(client)[0] == 431


def test_large_headers_are_taken(start: Start) -> None:
    headers = [f'X-{number}: {"a" * 8000}' for number in range(7)]
    assert ask(start(), asked('GET', '/', *headers))[0] == 200


# -- one broken connection is no other one's matter --

@pytest.mark.parametrize('path', ['/exit', '/fatal/file'])
def test_no_thread_ends_by_what_an_application_raises(start: Start, path: str) -> None:
    server = start(streams=1)
    for _ in range(SLOTS + 1):
        with connect(server) as client:
            client.sendall(asked('GET', path))
            assert answer(client)[0] == (500 if path == '/exit' else 200)
            assert not path.startswith('/fatal') or not client.recv(100).endswith(b'0\r\n\r\n')
    assert ask(server)[0] == 200
    assert ask(server, asked('GET', '/file'))[0] == 200
    eventually(lambda: not server._backend.connections())


def test_a_stream_for_which_there_is_no_thread_takes_none_from_later_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[Any] = []
    streams = Streams(1, lambda *work: served.append(work))

    def none(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("can't start new thread")
    with monkeypatch.context() as patched:
        patched.setattr('compute.concurrency.spawn', none)
        with pytest.raises(RuntimeError):
            streams.submit(*cast(Any, ('first', None)))
    streams.submit(*cast(Any, ('second', None)))
    eventually(lambda: served == [('second', None)])


def test_a_fault_at_the_begin_of_a_connection_ends_no_listener(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    server, faults = start(), [RuntimeError('oh')]
    real = server._backend._open.open

    def opened(*args: Any) -> Any:
        if faults:
            raise faults.pop()
        return real(*args)
    monkeypatch.setattr(server._backend._open, 'open', opened)
    with connect(server) as client, suppress(ConnectionResetError):
        assert client.recv(1) == b''
    assert ask(server)[0] == 200


def test_the_last_answer_is_not_lost_to_what_came_behind_its_request(start: Start, application: Application) -> None:
    server = start()
    with connect(server) as client:
        client.sendall(asked('GET', '/wait', 'Connection: close'))
        assert application.reached.acquire(timeout=LONG)
        client.sendall(GET)
        connection, = server._backend._open.all()
        eventually(lambda: readable(connection.socket))
        application.go.set()
        assert answer(client)[2] == b'hello'
        assert client.recv(1) == b'', 'an end and no reset'

def test_a_client_that_is_gone_before_its_second_request_is_refused_ends_no_other(
        start: Start, application: Application) -> None:
    server = start()
    with connect(server) as client:
        client.sendall(asked('GET', '/wait') + b'no request\r\n\r\n')
        assert application.reached.acquire(timeout=LONG)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))  # a reset, at once
    application.go.set()
    eventually(lambda: server._backend.connections() == 0)
    assert ask(server)[0] == 200


def test_a_reset_behind_an_answer_that_was_sent_ends_no_other(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    server = start()

    def gone(*args: object) -> None:
        raise BrokenPipeError('gone')
    for backend in (GreenHttp, ThreadedHttp):
        monkeypatch.setattr(sys.modules[backend.__module__], 'refusal', gone)
    with connect(server) as client:
        client.sendall(GET + b'no request\r\n\r\n')
        assert answer(client)[0] == 200
        assert not client.recv(1)
    assert ask(server)[0] == 200


def test_a_fault_of_this_server_ends_one_connection(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    server, take = start(), Reader.take

    def broken(reader: Reader, now: float) -> Request | None:
        if reader.buffer.startswith(b'BREAK'):
            raise RuntimeError('oh')
        return take(reader, now)
    monkeypatch.setattr(Reader, 'take', broken)
    with connect(server) as client:
        client.sendall(b'BREAK')
        with suppress(ConnectionResetError):
            assert not client.recv(1)
    assert ask(server)[0] == 200


def test_an_idle_connection_makes_room_for_one_other_only() -> None:
    opened = Connections(Rules(connections=1))
    with ExitStack() as stack:
        ends = [socket.socketpair() for _ in range(3)]
        for end in (end for pair in ends for end in pair):
            stack.enter_context(end)
        first = opened.open(ends[0][0], ('192.0.2.1', 1), 80)
        assert first is not None
        first.reader.since -= 10
        assert opened.open(ends[1][0], ('192.0.2.2', 1), 80) is not None
        assert opened.open(ends[2][0], ('192.0.2.3', 1), 80) is None
