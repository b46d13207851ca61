"""A connection's bytes become requests; time is an argument."""

from __future__ import annotations

import logging

import pytest

from compute.exception import ComputeError
from compute.http.head import Refused
from compute.http.reader import CONTINUE, REFUSAL, Reader, Request
from compute.http.rules import Clients, Rules

RULES = Rules(header_timeout=20, body_timeout=60, grace=10, least_rate=100, max_body=10, idle_timeout=120,
              is_stream=lambda environ: environ['PATH_INFO'] == '/file')
HEAD = b'POST /%s HTTP/1.1\r\nHost: h\r\n%s\r\n\r\n'


def fed(*parts: bytes, rules: Rules = RULES) -> Reader:
    reader = Reader(rules, {}, 0.0)
    for part in parts:
        reader.feed(part, 0.0)
    return reader


def taken(*parts: bytes) -> Request:
    request = fed(*parts).take(0.0)
    assert request is not None
    return request


def refusal(request: Request | None) -> ComputeError:
    assert request is not None and not request.keep and request.rest
    error = request.environ[REFUSAL]
    assert isinstance(error, ComputeError)
    return error


def test_a_request_is_there_when_its_body_is() -> None:
    reader = Reader(RULES, {}, 0.0)
    for byte in HEAD % (b'', b'Content-Length: 5') + b'hell':
        reader.feed(bytes([byte]), 0.0)
        assert reader.take(0.0) is None
    reader.feed(b'oGET', 0.0)
    request = reader.take(0.0)
    assert request is not None and request.environ['wsgi.input'].read() == b'hello'
    assert bytes(reader.buffer) == b'GET' and not reader.idle


@pytest.mark.parametrize('step', [1, 2, 3, 100])
def test_empty_lines_before_a_request_are_skipped_however_they_come(step: int) -> None:
    reader, raw = Reader(RULES, {}, 0.0), b'\r\n\r\n' + HEAD % (b'a', b'X: y')
    found = []
    for start in range(0, len(raw), step):
        reader.feed(raw[start:start + step], 0.0)
        found.append(reader.take(0.0))
    assert [each.environ['PATH_INFO'] for each in found if each is not None] == ['/a']


def test_an_empty_line_behind_a_request_begins_none() -> None:
    """A connection on which nothing else comes is idle: it is not refused as slow, and no stop waits for it."""
    reader = fed(HEAD % (b'a', b'Content-Length: 2') + b'xy\r\n')
    assert reader.take(0.0) is not None and not reader.idle
    reader.served(1.0)
    assert reader.take(1.0) is None
    assert reader.idle and reader.expires() == 1 + 120 and reader.give_up(True, 200.0) is None


def test_requests_that_come_together_are_told_apart() -> None:
    reader = fed(HEAD % (b'a', b'Content-Length: 2') + b'xy' + HEAD % (b'b', b'X: y'))
    first, second, none = reader.take(0.0), reader.take(0.0), reader.take(0.0)
    assert first is not None and second is not None and none is None
    assert [each.environ['PATH_INFO'] for each in (first, second)] == ['/a', '/b']
    assert second.environ['wsgi.input'].read() == b'' and reader.idle


def test_a_chunked_body_becomes_one_of_a_known_length() -> None:
    environ = taken(HEAD % (b'', b'Transfer-Encoding: chunked') + b'2\r\n{}\r\n0\r\n\r\n').environ
    assert (environ['CONTENT_LENGTH'], environ['wsgi.input'].read()) == ('2', b'{}')
    assert 'HTTP_TRANSFER_ENCODING' not in environ


@pytest.mark.parametrize(('header', 'body', 'numbers'), [
    (b'Content-Length: 11', b'', ('11', '10')), (b'Transfer-Encoding: chunked', b'b\r\nhello world', ('11', '10'))])
def test_a_body_that_is_too_large_is_not_read_to_its_end(header: bytes, body: bytes, numbers: tuple[str, ...]) -> None:
    error = refusal(taken(HEAD % (b'', header) + body))
    assert error.status == 413 and all(number in error.message for number in numbers)


def test_a_client_that_waits_for_permission_gets_it_if_the_body_may_come() -> None:
    reader = fed(HEAD % (b'', b'Content-Length: 5\r\nExpect: 100-continue'))
    assert reader.take(0.0) is None and reader.interim == CONTINUE
    for part in (b'hel', b'lo'):
        reader.feed(part, 0.0)
        request = reader.take(0.0)
    assert request is not None and not reader.interim, 'it came without: said later, it would belong to no request'
    reader = fed(HEAD % (b'', b'Content-Length: 50\r\nExpect: 100-continue'))
    assert refusal(reader.take(0.0)).status == 413 and reader.interim == b''


def test_the_body_of_a_stream_is_left_to_the_application() -> None:
    reader = fed(HEAD % (b'file', b'Content-Length: 5000\r\nExpect: 100-continue') + b'hel')
    request = reader.take(0.0)
    assert request is not None and request.streamed and request.expects and bytes(reader.buffer) == b'hel'


@pytest.mark.parametrize('late', [True, False])
def test_a_body_that_ends_early_is_refused_and_noted(late: bool, caplog: pytest.LogCaptureFixture) -> None:
    reader = fed(HEAD % (b'', b'Content-Length: 5') + b'hel')
    assert reader.take(0.0) is None
    with caplog.at_level(logging.INFO):
        error = refusal(reader.give_up(late, 1.0))
    assert error.status == (408 if late else 400) and '3 of 5' in error.message
    assert [record.levelno for record in caplog.records] == [logging.INFO]


@pytest.mark.parametrize('late', [True, False])
def test_headers_that_end_early_are_refused(late: bool) -> None:
    reader = fed(b'GET / HTTP/1.1\r\nHo')
    assert reader.take(0.0) is None
    with pytest.raises(Refused) as caught:
        reader.give_up(late, 1.0)
    assert caught.value.status == (408 if late else 400)


def test_a_connection_that_ends_between_requests_is_no_fault() -> None:
    assert fed().give_up(False, 1.0) is None


def test_headers_and_bodies_have_a_total_time_and_a_least_rate() -> None:
    reader = Reader(RULES, {}, 0.0)
    assert reader.expires() == 120, 'nothing has come'
    reader.feed(b'x' * 200, 50.0)
    assert reader.expires() == 50 + 10 + 200 / 100, 'grace, and what the rate allows for what came'
    reader.feed(b'x' * 5000, 51.0)
    assert reader.expires() == 50 + 20, 'the total time'
    reader = fed(HEAD % (b'', b'Content-Length: 9'))
    assert reader.take(30.0) is None
    reader.feed(b'x' * 8, 31.0)
    assert reader.expires() == 30 + 10 + 8 / 100, 'the time of a body begins with it'


@pytest.mark.parametrize(('raw', 'status'), [
    (b'GET / HTTP/1.1\nHost: h\n', 400), (b'a' * 16385, 414), (b'GET / HTTP/1.1\r\nX: ' + b'a' * 70000, 431),
    (b'GET / HTTP/1.1\r\nX: ' + b'a' * 70000 + b'\r\n\r\n', 431)])
def test_what_never_ends_is_refused_before_its_end(raw: bytes, status: int) -> None:
    with pytest.raises(Refused) as caught:
        fed(raw).take(0.0)
    assert caught.value.status == status


def test_an_address_has_so_many_connections_and_a_proxy_as_many_as_it_likes() -> None:
    import ipaddress
    clients = Clients(Rules(per_address=2, exempt=(ipaddress.ip_network('10.0.0.0/24'),)))
    assert [clients.admit('192.0.2.1') for _ in range(3)] == ['192.0.2.1', '192.0.2.1', None]
    assert clients.admit('192.0.2.2')
    clients.release('192.0.2.1')
    assert clients.admit('192.0.2.1')
    assert all(clients.admit('10.0.0.7') for _ in range(5))


def test_the_addresses_of_one_client_count_together() -> None:
    clients = Clients(Rules(per_address=2, client_of=lambda address: 'one' if address.startswith('10.') else ''))
    assert [clients.admit(f'10.0.0.{number}') for number in range(3)] == ['one', 'one', None]
    assert [clients.admit(f'192.0.2.{number}') for number in range(3)] == ['', '', None]
    clients.release('')
    assert clients.admit('192.0.2.9') == ''


def test_a_connection_may_be_for_one_request_only() -> None:
    made = fed(b'GET / HTTP/1.1\r\nHost: h\r\n\r\n', rules=Rules(keep_alive=False)).take(0.0)
    assert made is not None and not made.keep
