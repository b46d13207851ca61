"""The metadata address of a network, one connection stepped by hand: no guest keeps the others waiting.

There is one slot for all guests. Guests are addresses of this machine's loopback network.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from compute import concurrency
from compute.builtin.network.agent.metadata import proxy
from compute.builtin.network.agent.metadata.proxy import Upstream
from compute.builtin.network.agent.metadata.service import PER_GUEST, Listener, MetadataService, rules_of
from compute.http.rules import Rules
from compute.http_green import GreenHttp
from compute.http_server import HttpServer, Slots
from compute.objects.nic import FixedIp
from compute.objects.wiring import NetworkWiring
from tests.contract.network_agent.making import make_conf, make_network, make_port
from tests.unit.http.serving import answer, asked, eventually
from tests.waiting import LONG

ONE, OTHER, STRANGER = '127.0.0.11', '127.0.0.12', '127.0.0.99'
SECOND_OF_ONE = '127.0.0.21'
GET = asked('GET', '/latest/meta-data/')
UNFINISHED = {'nothing': b'', 'line': b'GET /lat', 'headers': b'GET / HTTP/1.1\r\nHo', 'body': asked(
    'POST', '/password', 'Content-Length: 100', body=b'half'), 'chunks': asked(
    'POST', '/password', 'Transfer-Encoding: chunked', body=b'5\r\nhel')}


class GreenSlots:
    """The slots of green servers, on the threads of a test."""

    def __init__(self, size: int) -> None:
        self._slots = threading.Semaphore(size)

    def backend(self, app: Any, listener: socket.socket, rules: Rules) -> GreenHttp:
        return GreenHttp(app, listener, self._slots, rules)

    def end(self) -> None:
        """Do nothing."""


class Metadata:
    """A compute-metadata that keeps what it was asked; the path ``/wait`` waits until ``go`` is set.

    Of ``/part`` the answer ends before the length that was stated.
    """

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.reached, self.go = threading.Semaphore(0), threading.Event()
        self.body = b'ami-id\n'

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.asked.append(environ)
        if environ['PATH_INFO'] == '/base/wait':
            self.reached.release()
            assert self.go.wait(LONG)
        body = environ['wsgi.input'].read() or self.body
        is_part = self.is_part(environ)
        start_response('200 OK', [('Content-Length', str(len(body) + is_part)), ('Connection', 'forged')])
        return iter([body]) if is_part else [body]

    @staticmethod
    def is_part(environ: dict[str, Any]) -> bool:
        """Return whether the answer to a request ends too early."""
        return bool(environ['PATH_INFO'] == '/base/part')


def network() -> NetworkWiring:
    """Return a network with two servers, one of them with two ports."""
    def at(address: str) -> tuple[FixedIp, ...]:
        return (FixedIp(address=address, subnet_id='four'),)
    return make_network(make_port(1, fixed_ips=at(ONE)), make_port(2, fixed_ips=at(OTHER)),
                        make_port(3, device_id='server-1', fixed_ips=at(SECOND_OF_ONE)))


class Site:
    """A listener before a compute-metadata."""

    def __init__(self, slots: Any, **rules: Any) -> None:
        self.metadata = Metadata()
        self.server = HttpServer(self.metadata, '127.0.0.1', 0, PER_GUEST + 1, Rules(is_stream=self.metadata.is_part))
        self.server.start()
        self.slots, self._socket = slots, socket.create_server(('127.0.0.1', 0))
        self.port = self._socket.getsockname()[1]
        limits = {'keep_alive': False, 'per_address': PER_GUEST, 'max_body': 1000, 'of_options': False, **rules}
        self.listener = Listener(network(), self._socket, 1, Upstream(
            f'http://127.0.0.1:{self.server.port}/base', 'secret', LONG), slots, Rules(**limits))

    def connect(self, guest: str = ONE) -> socket.socket:
        """Connect from the address of a guest."""
        return socket.create_connection(('127.0.0.1', self.port), timeout=LONG, source_address=(guest, 0))

    def ask(self, request: bytes = GET, guest: str = ONE) -> tuple[int, bytes]:
        """Send a request and return status and body of the answer, after which the connection ends."""
        with self.connect(guest) as client:
            client.sendall(request)
            status, headers, body = answer(client)
            assert headers['connection'] == 'close' and client.recv(1) == b''
            return status, body

    def is_full(self, guest: str = ONE) -> bool:
        """Return whether a connection of a guest is refused, before it sends anything."""
        with self.connect(guest) as client:
            status, headers, _ = answer(client)
            return (status, headers['connection']) == (503, 'close') and 'retry-after' in headers

    def open(self) -> int:
        """Return how many connections are open."""
        return self.listener._server.connections()

    def close(self) -> None:
        """End everything."""
        self.metadata.go.set()
        self.listener.close()
        self.slots.end()
        self.server.stop()


@pytest.fixture(params=[GreenSlots] if concurrency.is_green() else [GreenSlots, Slots])
def make(request: pytest.FixtureRequest) -> Iterator[Callable[..., Site]]:
    """Return what makes a site with one slot, on either kind of server."""
    made: list[Site] = []

    def begin(**rules: Any) -> Site:
        made.append(Site(request.param(1), **rules))
        return made[-1]
    yield begin
    for site in made:
        site.close()


@pytest.fixture
def site(make: Callable[..., Site]) -> Site:
    """A site with standard limits."""
    return make()


@pytest.mark.parametrize('part', UNFINISHED)
def test_unfinished_requests_of_a_guest_hold_no_other(site: Site, part: str) -> None:
    with ExitStack() as stack:
        for guest in (ONE, STRANGER):
            for _ in range(PER_GUEST):
                stack.enter_context(site.connect(guest)).sendall(UNFINISHED[part])
        eventually(lambda: site.open() == 2 * PER_GUEST)
        assert site.ask(guest=OTHER) == (200, b'ami-id\n')


def test_a_request_goes_on_when_its_last_byte_is_there(site: Site) -> None:
    request = asked('POST', '/openstack/latest/password', 'Content-Length: 6', body=b'secret')
    with site.connect() as client:
        for number in range(len(request) - 1):
            client.sendall(request[number:number + 1])
        assert site.ask(guest=OTHER)[0] == 200
        assert [environ['PATH_INFO'] for environ in site.metadata.asked] == ['/base/latest/meta-data/']
        client.sendall(request[-1:])
        assert answer(client)[2] == b'secret'
    environ = site.metadata.asked[-1]
    assert (environ['HTTP_X_INSTANCE_ID'], environ['HTTP_X_TENANT_ID'], environ['HTTP_X_FORWARDED_FOR']) == (
        'server-1', 'project', ONE)


def test_a_guest_that_does_not_take_its_answer_holds_no_other(site: Site) -> None:
    site.metadata.body = b'x' * proxy.LARGEST_ANSWER
    with ExitStack() as stack:
        clients = [stack.enter_context(site.connect()) for _ in range(PER_GUEST)]
        for client in clients:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.sendall(GET)
        eventually(lambda: len(site.metadata.asked) == PER_GUEST)
        site.metadata.body = b'small'
        assert site.ask(guest=OTHER) == (200, b'small')
        assert clients[0].recv(12) == b'HTTP/1.1 200'


def test_an_instance_has_so_many_connections_whichever_its_address(site: Site) -> None:
    with ExitStack() as stack:
        for number in range(PER_GUEST):
            stack.enter_context(site.connect(SECOND_OF_ONE if number % 2 else ONE))
        eventually(lambda: site.open() == PER_GUEST)
        assert site.is_full(ONE) and site.is_full(SECOND_OF_ONE)
        assert site.ask(guest=OTHER)[0] == 200
    eventually(lambda: site.open() == 0)
    assert site.ask()[0] == 200


def test_strangers_have_so_many_connections_together(site: Site) -> None:
    with ExitStack() as stack:
        for number in range(PER_GUEST):
            stack.enter_context(site.connect(f'127.0.1.{number + 1}'))
        eventually(lambda: site.open() == PER_GUEST)
        assert site.is_full(STRANGER)
        assert site.ask()[0] == 200
    eventually(lambda: site.open() == 0)
    assert site.ask(guest=STRANGER) == (404, b'404 No instance is known at this address\n')
    assert len(site.metadata.asked) == 1


def test_an_address_that_moves_to_another_server_is_counted_for_that(site: Site) -> None:
    with site.connect() as held:
        held.sendall(b'GET')
        eventually(lambda: site.open() == 1)
        moved = network()
        site.listener.update(make_network(*moved.ports[1:]))
    eventually(lambda: site.open() == 0)
    assert site.ask()[0] == 404
    site.listener.update(moved)
    with ExitStack() as stack:
        for _ in range(PER_GUEST):
            stack.enter_context(site.connect())
        eventually(lambda: site.open() == PER_GUEST)
        assert site.is_full()


@pytest.mark.parametrize(('limit', 'part', 'status'), [
    ({'header_timeout': 0.1}, UNFINISHED['headers'], 408), ({'body_timeout': 0.1}, UNFINISHED['body'], 408),
    ({'grace': 0.1, 'least_rate': 1000}, UNFINISHED['headers'], 408)], ids=['headers', 'body', 'rate'])
def test_what_comes_too_slowly_ends(make: Callable[..., Site], limit: dict[str, Any], part: bytes, status: int) -> None:
    site = make(**limit)
    with site.connect() as client:
        client.sendall(part)
        assert answer(client)[0] == status
    eventually(lambda: site.open() == 0)
    assert not site.metadata.asked


def test_a_connection_on_which_nothing_comes_ends(make: Callable[..., Site]) -> None:
    site = make(idle_timeout=0.1)
    with site.connect() as client:
        assert client.recv(1) == b''


def test_requests_wait_for_the_slot_and_all_are_answered(site: Site) -> None:
    with ExitStack() as stack:
        first = stack.enter_context(site.connect())
        first.sendall(asked('GET', '/wait'))
        assert site.metadata.reached.acquire(timeout=LONG)
        rest = [stack.enter_context(site.connect(guest)) for guest in (ONE, OTHER, OTHER)]
        for client in rest:
            client.sendall(GET)
        eventually(lambda: site.listener._server.busy() == 4)
        assert len(site.metadata.asked) == 1
        site.metadata.go.set()
        assert [answer(client)[0] for client in (first, *rest)] == [200] * 4


@pytest.mark.parametrize(('request_', 'status'), [
    (asked('POST', '/', 'Content-Length: 1001'), 413), (asked('OPTIONS', '*'), 400), (b'nonsense\r\n\r\n', 400),
    (asked('GET', '/', 'Transfer-Encoding: chunked', body=b'x\r\n'), 400)])
def test_what_is_refused_is_not_passed_on(site: Site, request_: bytes, status: int) -> None:
    assert site.ask(request_)[0] == status
    assert not site.metadata.asked


def test_a_head_has_the_length_and_no_body(site: Site) -> None:
    with site.connect() as client:
        client.sendall(asked('HEAD', '/latest/meta-data/'))
        got = b''
        while more := client.recv(4096):
            got += more
    assert b'Content-Length: 7\r\n' in got and got.endswith(b'\r\n\r\n') and b'forged' not in got


def test_a_service_that_breaks_off_or_says_too_much_or_nothing(site: Site) -> None:
    assert site.ask(asked('GET', '/part'))[0] == 503, 'a part of a document is none'
    site.metadata.body = b'x' * (proxy.LARGEST_ANSWER + 1)
    assert site.ask()[0] == 502
    site.server.stop()
    assert site.ask() == (503, b'503 The metadata service does not answer now\n')


def test_a_guest_that_is_gone_ends_no_other(site: Site) -> None:
    with site.connect() as client:
        client.sendall(asked('GET', '/wait'))
        assert site.metadata.reached.acquire(timeout=LONG)
    site.metadata.go.set()
    assert site.ask(guest=OTHER)[0] == 200


def test_the_limits_are_those_of_the_configuration() -> None:
    conf = make_conf()
    conf.set_override('header_timeout', 7, 'http')
    conf.set_override('body_timeout', 9, 'http')
    conf.set_override('least_rate', 11, 'http')
    rules = rules_of(conf.http)
    assert (rules.header_timeout, rules.idle_timeout, rules.body_timeout, rules.least_rate) == (7, 7, 9, 11)
    assert rules.per_address == PER_GUEST and not rules.keep_alive


class Wires:
    """A plumbing of which only the metadata sockets are asked for."""

    def __init__(self) -> None:
        self.made: list[socket.socket] = []

    def generation(self, network_id: str) -> int:
        return 1

    def listen(self, network_id: str) -> socket.socket:
        self.made.append(socket.create_server(('127.0.0.1', 0)))
        return self.made[-1]


def test_every_network_has_a_listener_until_it_goes() -> None:
    wires = Wires()
    service = MetadataService(make_conf(metadata_url='http://127.0.0.1:1'), wires)  # type: ignore[arg-type]
    one, other = network(), network()
    service.sync([one, other])
    ports = [made.getsockname()[1] for made in wires.made]
    try:
        for port in ports:
            with socket.create_connection(('127.0.0.1', port), timeout=LONG, source_address=(ONE, 0)) as client:
                client.sendall(GET)
                assert answer(client)[0] == 503, 'compute-metadata is not there'
        service.apply({one.id: None})
        with pytest.raises(ConnectionError):
            socket.create_connection(('127.0.0.1', ports[0]), timeout=LONG)
    finally:
        service.stop()
    with pytest.raises(ConnectionError):
        socket.create_connection(('127.0.0.1', ports[1]), timeout=LONG)
