"""Heads of requests: what is read, and what is refused because a proxy might read it in another way."""

from __future__ import annotations

import pytest

from compute.http.head import Refused, parse

REFUSED = {
    'two lengths': (400, b'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6'),
    'the same length twice': (400, b'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\ncontent-length: 5'),
    'a length with a sign': (400, b'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +5'),
    'a length with an underscore': (400, b'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5_0'),
    'a negative length': (400, b'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1'),
    'an empty length': (400, b'POST / HTTP/1.1\r\nHost: h\r\nContent-Length:'),
    'a list of lengths': (400, b'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5, 5'),
    'a length of other digits': (400, 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ٣'.encode()),
    'length and chunks': (400, b'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked'),
    'chunks twice': (400, b'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked'),
    'chunks with HTTP/1.0': (400, b'POST / HTTP/1.0\r\nTransfer-Encoding: chunked'),
    'another coding': (501, b'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked'),
    'a header without colon': (400, b'GET / HTTP/1.1\r\nHost: h\r\nX-Y'),
    'a known header without colon': (400, b'GET / HTTP/1.1\r\nHost: h\r\nHost'),
    'a blank before the colon': (400, b'GET / HTTP/1.1\r\nHost: h\r\nX-Y : 1'),
    'a header without name': (400, b'GET / HTTP/1.1\r\nHost: h\r\n: 1'),
    'a folded first header': (400, b'GET / HTTP/1.1\r\n Host: h'),
    'a folded header': (400, b'GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n Content-Length: 5'),
    'a header folded with a tab': (400, b'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\n\tchunked'),
    'a blank line with a blank': (400, b'GET / HTTP/1.1\r\nHost: h\r\n \r\nX: y'),
    'too many headers': (431, b'GET / HTTP/1.1\r\nHost: h' + b'\r\nX: y' * 200),
    'a bare LF': (400, b'GET / HTTP/1.1\r\nHost: h\nX: y'),
    'a bare CR': (400, b'GET / HTTP/1.1\r\nHost: h\rX: y'),
    'NUL': (400, b'GET / HTTP/1.1\r\nHost: h\r\nX: a\0b'),
    'no host': (400, b'GET / HTTP/1.1\r\nX: y'),
    'two hosts': (400, b'GET / HTTP/1.1\r\nHost: h\r\nHost: h'),
    'an empty host': (400, b'GET / HTTP/1.1\r\nHost:'),
    'a host with a path': (400, b'GET / HTTP/1.1\r\nHost: h/x'),
    'a host with a user': (400, b'GET / HTTP/1.1\r\nHost: u@h'),
    'a host with markup': (400, b'GET / HTTP/1.1\r\nHost: h"><script>'),
    'a host with a blank': (400, b'GET / HTTP/1.1\r\nHost: h h'),
    'a host with letters for a port': (400, b'GET / HTTP/1.1\r\nHost: h:http'),
    'two types': (400, b'GET / HTTP/1.1\r\nHost: h\r\nContent-Type: a/b\r\nContent-Type: c/d'),
    'two tokens': (400, b'GET / HTTP/1.1\r\nHost: h\r\nX-Auth-Token: a\r\nX-Auth-Token: b'),
    'HTTP/0.9': (400, b'GET /'),
    'HTTP/2.0': (505, b'GET / HTTP/2.0\r\nHost: h'),
    'two blanks': (400, b'GET  / HTTP/1.1\r\nHost: h'),
    'a blank in the URL': (400, b'GET /a b HTTP/1.1\r\nHost: h'),
    'no slash': (400, b'GET a HTTP/1.1\r\nHost: h'),
    'a strange method': (400, b'G(T / HTTP/1.1\r\nHost: h'),
    'a long method': (501, b'G' * 33 + b' / HTTP/1.1\r\nHost: h'),
    'a fragment': (400, b'GET /public#/../private HTTP/1.1\r\nHost: h'),
    'a fragment after a host': (400, b'GET http://h#x/private HTTP/1.1\r\nHost: h'),
    'a URL with a user': (400, b'GET http://u@h/ HTTP/1.1\r\nHost: h'),
    'a URL and no host': (400, b'GET http://h/ HTTP/1.1\r\nX: y'),
    'an asterisk': (400, b'GET * HTTP/1.1\r\nHost: h'),
    'a tunnel': (400, b'CONNECT h:443 HTTP/1.1\r\nHost: h:443'),
    'a long URL': (414, b'GET /' + b'a' * 16400 + b' HTTP/1.1\r\nHost: h'),
}


@pytest.mark.parametrize('name', REFUSED)
def test_what_could_be_read_in_two_ways_is_refused(name: str) -> None:
    status, raw = REFUSED[name]
    with pytest.raises(Refused) as caught:
        parse(raw, {})
    assert caught.value.status == status


def test_a_head_becomes_an_environment() -> None:
    head = parse(b'POST /a%0Ab/%e4?q=1&r=%20 HTTP/1.1\r\nHost: example.org:8774\r\n'
                 b'Content-Type: text/plain; charset=x\r\nContent-Length: 12\r\nX-Blanks: \t a,  b\tc \t\r\n'
                 b'X-Twice: 1\r\nx-twice:2 \r\nX_Under: 1\r\nExpect: 100-Continue', {'SCRIPT_NAME': ''})
    assert head.environ == {
        'SCRIPT_NAME': '', 'REQUEST_METHOD': 'POST', 'SERVER_PROTOCOL': 'HTTP/1.1', 'PATH_INFO': '/a\nb/\xe4',
        'REQUEST_URI': '/a%0Ab/%e4?q=1&r=%20', 'QUERY_STRING': 'q=1&r=%20', 'HTTP_HOST': 'example.org:8774',
        'CONTENT_TYPE': 'text/plain; charset=x',
        'CONTENT_LENGTH': '12', 'HTTP_X_BLANKS': 'a,  b\tc', 'HTTP_X_TWICE': '1, 2', 'HTTP_EXPECT': '100-Continue'}
    assert (head.length, head.keep, head.expects) == (12, True, True)


@pytest.mark.parametrize(('raw', 'length', 'keep'), [
    (b'GET / HTTP/1.1\r\nHost: h', 0, True),
    (b'GET / HTTP/1.1\r\nHost: h\r\nConnection: close', 0, False),
    (b'GET / HTTP/1.0', 0, False),
    (b'GET / HTTP/1.0\r\nConnection: Keep-Alive', 0, True),
    (b'GET / HTTP/1.0\r\nConnection: Keep-Alive\r\nConnection: close', 0, False),
    (b'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked', None, True),
])
def test_where_a_request_ends(raw: bytes, length: int | None, keep: bool) -> None:
    head = parse(raw, {})
    assert (head.length, head.keep) == (length, keep)


@pytest.mark.parametrize(('target', 'path'), [
    (b'http://other.example/a?b', '/a'), (b'HTTP://other.example', '/'), (b'https://other.example?b', '/')])
def test_the_host_of_a_target_goes_before_that_of_the_header(target: bytes, path: str) -> None:
    environ = parse(b'GET ' + target + b' HTTP/1.1\r\nHost: h', {}).environ
    assert (environ['PATH_INFO'], environ['HTTP_HOST']) == (path, 'other.example')


def test_the_server_itself_can_be_asked_for_its_options() -> None:
    assert parse(b'OPTIONS * HTTP/1.1\r\nHost: h', {}).environ['PATH_INFO'] == '*'


@pytest.mark.parametrize('host', [
    'h', 'a.example.org', '127.0.0.1:80', '[::1]:8774', '[fe80::1]', 'with_underscore', 'a-b.'])
def test_hosts_that_are_taken(host: str) -> None:
    assert parse(f'GET / HTTP/1.1\r\nHost: {host}'.encode(), {}).environ['HTTP_HOST'] == host
