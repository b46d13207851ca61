"""Bodies that are read, and answers that are sent, at the other end's pace; the clock goes with a scripted socket."""

from __future__ import annotations

import io
import socket
import types
from collections.abc import Iterator
from typing import Any, cast

import pytest

from compute.exception import Invalid
from compute.http import stream
from compute.http.body import Chunked, Decoder, Length
from compute.http.reader import CONTINUE
from compute.http.rules import Rules
from compute.http.stream import Pace, StreamedBody, TooSlow, queued, send
from compute.http_green import GreenHttp
from tests.waiting import LONG, wait_until

RULES = Rules(grace=10, stream_rate=1000)
CHUNKS = b'5\r\nhello\r\n6;name="x"\r\n world\r\n0\r\nX-Trailer: y\r\n\r\n'
Steps = list[tuple[float, bytes | int | OSError]]


class Scripted:
    """A socket: after so many seconds it gives bytes, takes a number of bytes, or fails."""

    def __init__(self, *steps: tuple[float, bytes | int | OSError]) -> None:
        self.steps: Steps = list(steps)
        self.clock, self.sent = 0.0, b''
        self._timeout = 0.0

    def fileno(self) -> int:
        """Have no number."""
        return -1

    def settimeout(self, seconds: float) -> None:
        """Wait at most so long."""
        self._timeout = seconds

    def recv(self, most: int) -> bytes:
        """Give what comes next."""
        piece = self._next(b'')
        assert isinstance(piece, bytes) and len(piece) <= most
        return piece

    def send(self, data: bytes) -> int:
        """Take bytes: all, when the script is over."""
        number = self._next(len(data))
        assert isinstance(number, int)
        self.sent += bytes(data[:number])
        return min(number, len(data))

    def _next(self, last: bytes | int) -> bytes | int:
        if not self.steps:
            return last
        seconds, what = self.steps[0]
        if seconds > self._timeout:
            self.clock += self._timeout
            self.steps[0] = seconds - self._timeout, what
            raise TimeoutError
        self.clock += seconds
        del self.steps[0]
        if isinstance(what, OSError):
            raise what
        return what


@pytest.fixture
def socket_of(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Scripted]]:
    """Let the clock be that of the last socket made."""
    made: list[Scripted] = []

    class Timed(Scripted):
        def __init__(self, *steps: tuple[float, bytes | int | OSError]) -> None:
            super().__init__(*steps)
            made.append(self)
    monkeypatch.setattr(stream, 'time', types.SimpleNamespace(monotonic=lambda: made[-1].clock))
    yield Timed


def body_of(sock: Scripted, decoder: Decoder, came: bytes = b'', greeting: bytes = b'') -> StreamedBody:
    return StreamedBody(sock, bytearray(came), decoder, RULES, greeting, 'PUT /file of 192.0.2.1')


@pytest.mark.parametrize('step', [1, 2, 3, 4, 5, 7, 1000])
def test_chunks_are_read_however_the_network_cuts_them(socket_of: type[Scripted], step: int) -> None:
    """Also where the size of a chunk came in part: there is something, and it is not enough."""
    pieces = [CHUNKS[start:start + step] for start in range(0, len(CHUNKS), step)]
    body = body_of(socket_of(*((0.0, piece) for piece in pieces[1:])), Chunked(), pieces[0])
    assert io.BufferedReader(body, 65536).read() == b'hello world'


def test_wsgi_reads_are_served_in_any_manner(socket_of: type[Scripted]) -> None:
    body = io.BufferedReader(body_of(socket_of((0, b'two\nthr'), (0, b'ee\nfour')), Length(17), b'one\n'), 65536)
    assert [body.readline(), body.read(2), body.readline(), body.read(0)] == [b'one\n', b'tw', b'o\n', b'']
    assert [list(body), body.read(), body.read(5)] == [[b'three\n', b'fou'], b'', b'']


def test_an_upload_within_its_rate_survives_the_end_of_a_window(socket_of: type[Scripted]) -> None:
    """Each wait is 3 s: the fourth one crosses the end of the first window of 10 s."""
    sock = socket_of(*[(3.0, b'x' * 4000)] * 10)
    assert io.BufferedReader(body_of(sock, Length(40000)), 65536).read() == b'x' * 40000
    assert sock.clock == 30


def test_an_upload_below_its_rate_ends(socket_of: type[Scripted]) -> None:
    sock = socket_of(*[(3.0, b'x' * 2000)] * 10)
    with pytest.raises(Invalid) as caught:
        io.BufferedReader(body_of(sock, Length(20000)), 65536).read()
    assert (caught.value.status, caught.value.code, sock.clock) == (408, 'body_too_slow', 10)


def test_an_upload_that_stands_still_ends(socket_of: type[Scripted]) -> None:
    sock = socket_of((0, b'x' * 50000), (300.0, b'x'))
    with pytest.raises(Invalid) as caught:
        io.BufferedReader(body_of(sock, Length(100000)), 65536).read()
    assert (caught.value.code, sock.clock) == ('body_too_slow', 20), 'the first window had enough, the second nothing'


def test_without_a_least_rate_any_progress_in_a_window_is_enough(socket_of: type[Scripted]) -> None:
    sock = socket_of(*[(7.0, 1)] * 3)
    send(sock, b'abc', Pace(10.0, 0))
    assert (sock.sent, sock.clock) == (b'abc', 21)
    with pytest.raises(TooSlow):
        send(socket_of((30.0, 1)), b'a', Pace(10.0, 0))


def test_an_answer_within_its_rate_survives_the_end_of_a_window(socket_of: type[Scripted]) -> None:
    sock = socket_of(*[(6.0, 20000)] * 5)
    send(sock, b'x' * 100000, Pace(10.0, 1000))
    assert len(sock.sent) == 100000 and sock.clock == 30


def test_an_answer_that_is_taken_too_slowly_ends(socket_of: type[Scripted]) -> None:
    with pytest.raises(TooSlow):
        send(socket_of(*[(3.0, 2000)] * 50), b'x' * 100000, Pace(10.0, 1000))


@pytest.mark.parametrize('broken', [
    [(0, b'')], [(0, ConnectionResetError())], [(0, BrokenPipeError())]], ids=['end', 'reset', 'permission'])
def test_a_connection_that_breaks_is_a_bad_request(socket_of: type[Scripted], broken: Steps) -> None:
    """Never an OSError, which an application takes for one of its files; also while the permission is sent."""
    greeting = CONTINUE if isinstance(broken[0][1], BrokenPipeError) else b''
    with pytest.raises(Invalid) as caught:
        body_of(socket_of(*broken), Length(5), b'', greeting).read(5)
    assert (caught.value.status, caught.value.code) == (400, 'body_broken_off')


@pytest.mark.parametrize('answered', [False, True])
def test_permission_to_send_is_given_before_an_answer_only(socket_of: type[Scripted], answered: bool) -> None:
    sock = socket_of((0, 100), (0, b'hello'))
    body = body_of(sock, Length(5), b'', CONTINUE)
    if answered:
        body.answered()
        del sock.steps[0]
    assert (body.read(5), sock.sent) == (b'hello', b'' if answered else CONTINUE)


def test_ordinary_answers_have_the_least_rate_of_requests_and_not_that_of_images(socket_of: type[Scripted]) -> None:
    listener = types.SimpleNamespace(getsockname=lambda: ('', 80))
    server = GreenHttp(lambda environ, start_response: [], listener, 1, Rules(least_rate=1000, stream_rate=10000))
    sock = socket_of(*[(6.0, 20000)] * 5)
    send(sock, b'x' * 100000, server._pace(cast(Any, types.SimpleNamespace(socket=sock))))
    assert len(sock.sent) == 100000


@pytest.mark.parametrize(('left', 'enough'), [([900000, 800000, 700000], True), ([900000, 895000, 890000], False),
                                              ([0, 0, 0], False)])
def test_what_counts_is_what_the_other_end_received(socket_of: type[Scripted], left: list[int], enough: bool) -> None:
    """The system takes nothing for 20 s, because it took more than enough before."""
    sock, pace = socket_of((20.0, 100)), Pace(10.0, 1000, iter(left).__next__)
    if enough:
        send(sock, b'x' * 100, pace)
    else:
        with pytest.raises(TooSlow):
            send(sock, b'x' * 100, pace)


def test_the_system_tells_what_the_other_end_has_not_received() -> None:
    with socket.create_server(('127.0.0.1', 0)) as listener, \
            socket.create_connection(listener.getsockname()) as client, listener.accept()[0] as ours:
        ours.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                ours.send(bytes(65536))
        full = queued(ours)
        assert full > 0
        client.settimeout(LONG)
        wait_until(lambda: client.recv(65536) and queued(ours) < full, 'its progress')
    assert queued(ours) == 0
