"""The open connections of a server: their limits, their numbers, and what is closed when."""

from __future__ import annotations

import errno
import ipaddress
import socket
import types
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import pytest

from compute.exception import Invalid
from compute.http import connection as connections
from compute.http.connection import Connection, Connections, permit
from compute.http.reader import CONTINUE
from compute.http.rules import Rules, plain_address
from compute.http_green import GreenHttp
from compute.http_threads import ThreadedHttp
from tests.unit.http.serving import GET, answer, eventually
from tests.waiting import LONG


class Silent:
    """A socket on which nothing happens."""

    def __init__(self, number: int) -> None:
        self.number, self.shut = number, False

    def fileno(self) -> int:
        """Return its number."""
        return self.number

    def shutdown(self, how: int) -> None:
        """Note it."""
        self.shut = True

    def setblocking(self, flag: bool) -> None:
        """Do nothing."""

    def send(self, data: bytes) -> int:
        """Take all."""
        return len(data)

    def recv(self, most: int) -> bytes:
        """Have nothing."""
        raise BlockingIOError

    def close(self) -> None:
        """Do nothing."""


def opened(many: Connections, number: int, address: str = '192.0.2.1', age: float = 0) -> Connection | None:
    connection = many.open(Silent(number), (address, number), 80)
    if connection is not None:
        connection.reader.since -= age
    return connection


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Silent]]:
    """Return the sockets that were asked whether something has come."""
    asked: list[Silent] = []
    monkeypatch.setattr(connections, 'readable', lambda sock: asked.append(sock))
    yield asked


def test_at_the_limit_few_connections_are_looked_at(looks: list[Silent]) -> None:
    many = Connections(Rules(connections=500, per_address=0))
    for number in range(500):
        opened(many, number, age=1000 - number)
    for number in range(500, 700):
        assert opened(many, number) is not None
    assert len(looks) == 200
    assert [each.number for each in looks] == list(range(200)), 'the longest idle one first'
    assert all(each.shut for each in looks)


def test_at_the_limit_nobody_is_closed_who_was_used_meanwhile(looks: list[Silent]) -> None:
    many = Connections(Rules(connections=4, per_address=0))
    first, second, third, fourth = (opened(many, number, age=100 - number) for number in range(4))
    assert first and second and third and fourth
    assert opened(many, 4) is not None and first.socket.shut
    second.busy = True
    third.reader.since += 100
    assert opened(many, 5) is not None and fourth.socket.shut
    assert not (second.socket.shut or third.socket.shut)
    assert opened(many, 6) is None
    before = len(looks)
    assert opened(many, 7) is None and len(looks) == before, 'a search that found none is not done again at once'


@pytest.mark.parametrize(('number', 'closed'), [(errno.EMFILE, 16), (errno.ENFILE, 16), (errno.EPROTO, 0)])
def test_without_a_descriptor_idle_connections_make_room(looks: list[Silent], number: int, closed: int,
                                                         caplog: pytest.LogCaptureFixture) -> None:
    many = Connections(Rules())
    for each in range(40):
        opened(many, each, age=100 - each)
    for _ in range(2):
        many.failed(OSError(number, 'no descriptor'))
    assert [each.number for each in looks] == list(range(2 * closed)), 'the longest idle ones first'
    assert [record.levelname for record in caplog.records] == ['WARNING'], 'once in a while'


@pytest.mark.parametrize(('moved', 'late'), [(20000, False), (5000, True), (0, True)])
def test_a_response_that_is_received_too_slowly_ends(moved: int, late: bool) -> None:
    with backend_of(Rules(grace=10, least_rate=1000)) as backend:
        connection = opened(backend._open, 7)
        assert connection is not None
        connection.out, connection.out_since = memoryview(b'x' * 50000), 100.0
        for seconds in (104.0, 108.0):
            backend._guarded(connection, backend._look_at, seconds)
        connection.pace.count(moved, 0.0)
        assert not connection.closed
        backend._guarded(connection, backend._look_at, 110.5)
        assert connection.closed == late
        backend._guarded(connection, backend._look_at, 121.0)
        assert connection.closed, 'the first window pays for no second one'


@pytest.mark.parametrize(('written', 'plain'), [
    ('::ffff:10.0.0.1', '10.0.0.1'), ('10.0.0.1', '10.0.0.1'), ('::1', '::1'), ('fe80::1%eth0', 'fe80::1%eth0')])
def test_addresses_are_written_alike_on_every_kind_of_socket(written: str, plain: str) -> None:
    assert plain_address(written) == plain
    connection = opened(Connections(Rules()), 5, written)
    assert connection is not None and connection.address == plain
    connection.reader.feed(GET, 0.0)
    request = connection.reader.take(0.0)
    assert request is not None and request.environ['REMOTE_ADDR'] == plain


def options(*proxies: str) -> Any:
    return types.SimpleNamespace(
        header_timeout=1, body_timeout=1, least_rate=1, stream_least_rate=1, streams=1, max_connections=9,
        max_connections_per_address=1, proxy_addresses=proxies)


@pytest.mark.parametrize('proxies', ['10.0.0.0/24', '::ffff:10.0.0.0/120', '::ffff:a00:1', '10.0.0.1'])
def test_a_proxy_is_exempt_however_it_is_written(proxies: str) -> None:
    many = Connections(Rules.of(options(proxies), 1))
    for number, address in enumerate(['::ffff:10.0.0.1', '10.0.0.1', '::ffff:10.0.0.1']):
        assert opened(many, number, address) is not None
    assert opened(many, 3, '::ffff:10.0.1.1') is not None
    assert opened(many, 4, '10.0.1.1') is None, 'both are one address'


def test_proxies_are_networks() -> None:
    assert Rules.of(options('::/0', 'fe80::/10'), 1).exempt == tuple(map(ipaddress.ip_network, ('::/0', 'fe80::/10')))
    with pytest.raises(Invalid, match='proxy_addresses'):
        Rules.of(options('proxy.example.org'), 1)


def test_who_is_refused_after_the_request_has_come_gets_the_answer() -> None:
    """Closed with the request unread, the connection would be reset."""
    with socket.create_server(('127.0.0.1', 0)) as listener, \
            socket.create_connection(listener.getsockname(), timeout=LONG) as client:
        client.sendall(GET)
        sock, address = listener.accept()
        eventually(lambda: connections.readable(sock))
        assert Connections(Rules(connections=0)).open(sock, address, 80) is None
        assert answer(client)[0] == 503
        assert client.recv(1) == b''


def test_the_number_of_a_closed_connection_is_free_for_another() -> None:
    many = Connections(Rules())
    first = opened(many, 7)
    assert first is not None and many.find(7) is first
    many.close(first)
    assert many.find(7) is None
    second = opened(many, 7)
    many.close(first)
    assert many.find(7) is second and len(many) == 1


def test_a_client_is_known_by_its_address_on_every_kind_of_socket() -> None:
    many = Connections(Rules(per_address=1, client_of={'10.0.0.1': 'one', '10.0.0.2': 'one'}.__getitem__))
    first = opened(many, 1, '::ffff:10.0.0.1')
    assert first is not None and opened(many, 2, '10.0.0.2') is None
    for _ in range(2):
        many.close(first)
    assert opened(many, 3, '10.0.0.2') is not None
    assert opened(many, 4, '::ffff:10.0.0.1') is None, 'a connection that is closed twice was still one'


def test_a_limit_that_is_no_option_names_none(caplog: pytest.LogCaptureFixture) -> None:
    for of_options in (True, False):
        assert opened(Connections(Rules(connections=0, of_options=of_options)), 1) is None
    assert ['max_connections' in record.getMessage() for record in caplog.records] == [True, False]


def test_a_connection_for_which_there_is_no_thread_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*args: Any) -> None:
        raise RuntimeError("can't start new thread")
    monkeypatch.setattr('compute.concurrency.spawn_light', none)
    with socket.create_server(('127.0.0.1', 0)) as listener:
        green = GreenHttp(lambda environ, start_response: [], listener, 1, Rules(per_address=1))
        for number in range(2):
            with pytest.raises(RuntimeError):
                green._begin(Silent(number), ('192.0.2.1', number))
        assert green.connections() == 0


@contextmanager
def backend_of(rules: Rules) -> Iterator[ThreadedHttp]:
    """Give a server that was not started."""
    with socket.create_server(('127.0.0.1', 0)) as listener:
        backend = ThreadedHttp(lambda environ, start_response: [], listener, 1, rules)
        yield backend
        for each in (backend._epoll, backend._wake_in, backend._wake_out):
            each.close()


def test_a_connection_that_was_closed_meanwhile_arms_no_other() -> None:
    """Its number may be that of another one already."""
    modified: list[tuple[int, int]] = []
    with backend_of(Rules()) as backend, closing(backend._epoll):
        backend._epoll = types.SimpleNamespace(
            modify=lambda *args: modified.append(args), close=bool)  # type: ignore[assignment]
        first = opened(backend._open, 7)
        assert first is not None
        backend._arm(first, 1)
        backend._close(first)
        opened(backend._open, 7)
        backend._arm(first, 1)
        assert modified == [(7, 1)]


def test_a_client_that_takes_nothing_is_not_told_to_go_on_and_keeps_its_connection() -> None:
    with ExitStack() as stack:
        ours, theirs = (stack.enter_context(each) for each in socket.socketpair())
        connection = Connections(Rules()).open(ours, ('192.0.2.1', 1), 80)
        assert connection is not None
        connection.reader.interim = CONTINUE
        permit(connection)
        assert theirs.recv(100) == CONTINUE and not connection.reader.interim
        with pytest.raises(BlockingIOError):
            while True:
                ours.send(bytes(65536))
        connection.reader.interim = CONTINUE
        permit(connection)
        assert not connection.reader.interim
