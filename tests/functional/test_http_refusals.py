"""Requests that are not whole, too large or ambiguous: to every REST daemon, metadata and the health listener."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
import requests

from tests.functional.standalone import ADMIN_PASSWORD, Client, Standalone
from tests.waiting import LONG

PATHS = {'identity': '/v3/auth/tokens', 'image': '/v2/images', 'network': '/v2.0/networks', 'compute': '/v2.1/servers'}
EVERYBODY = (*PATHS, 'metadata', 'health')
LIMIT = 114688
POST = b'POST %b HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n%b'


def exchange(stack: Standalone, service: str, raw: bytes) -> tuple[int, bytes]:
    """Send bytes, and no more; return status and body of the answer."""
    with socket.create_connection(('127.0.0.1', stack.ports[service]), timeout=LONG) as client:
        client.sendall(raw)
        client.shutdown(socket.SHUT_WR)
        answer = b''.join(iter(lambda: client.recv(65536), b''))
    head, _, body = answer.partition(b'\r\n\r\n')
    return int(head.split()[1]), body


def message(service: str, body: bytes) -> str:
    """Return the message of a fault, which has the shape of its service."""
    fault: Any = json.loads(body)
    if service == 'image':
        return str(fault['message'])
    key, = fault
    assert key in {'identity': ('error',), 'network': ('NeutronError',),
                   'compute': ('badRequest', 'overLimit')}[service], fault
    return str(fault[key]['message'])


@pytest.mark.parametrize('service', PATHS)
@pytest.mark.parametrize('chunked', [False, True])
def test_a_body_over_the_limit_is_refused_with_both_numbers(stack: Standalone, service: str, chunked: bool) -> None:
    body = json.dumps({'x': 'y' * LIMIT}).encode()
    framed = (b'Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n' % (len(body), body) if chunked
              else b'Content-Length: %d\r\n\r\n' % len(body))
    status, answer = exchange(stack, service, POST % (PATHS[service].encode(), framed))
    said = message(service, answer)
    assert status == 413 and f'{len(body)} bytes' in said and f'limit is {LIMIT}' in said, said


@pytest.mark.parametrize('service', PATHS)
def test_chunked_bodies_are_read(stack: Standalone, client: Client, service: str) -> None:
    name = 'made-in-chunks'
    bodies = {'image': {'name': name}, 'network': {'network': {'name': name}},
              'compute': {'flavor': {'id': name, 'name': name, 'ram': 64, 'vcpus': 1, 'disk': 0}},
              'identity': {'auth': {'identity': {'methods': ['password'], 'password': {'user': {
                  'name': 'admin', 'domain': {'id': 'default'}, 'password': ADMIN_PASSWORD}}}}}}
    path = '/v2.1/flavors' if service == 'compute' else PATHS[service]
    headers = {'X-Auth-Token': client._session.headers['X-Auth-Token'], 'Content-Type': 'application/json'}
    text = json.dumps(bodies[service]).encode()
    answer = requests.post(f'http://127.0.0.1:{stack.ports[service]}{path}', iter([text[:7], text[7:]]),
                           headers=headers, timeout=LONG)
    assert answer.status_code in (200, 201), answer.text


@pytest.mark.parametrize('service', EVERYBODY)
@pytest.mark.parametrize('framing', [
    b'Content-Length: 100\r\n\r\n{"x"', b'Transfer-Encoding: chunked\r\n\r\n64\r\n{"x"'])
def test_a_client_that_breaks_off_in_a_body_makes_no_noise(stack: Standalone, service: str, framing: bytes) -> None:
    mark = stack.log.stat().st_size
    path = PATHS.get(service, '/openstack/latest/password').encode()
    status, answer = exchange(stack, service, POST % (path, framing))
    if service in PATHS:
        assert 'broke off' in message(service, answer)
    assert status == (404 if service == 'health' else 400)
    said = stack.log.read_text()[mark:]
    assert ' INFO compute.http.reader ' in said and 'Traceback' not in said and ' ERROR ' not in said


@pytest.mark.parametrize('service', EVERYBODY)
@pytest.mark.parametrize('head', [
    b'Host: a\r\nHost: b\r\n\r\n', b'X: y\r\n\r\n', b'Host: a\nX: y\r\n\r\n', b'Host: a\r\nX\r\n\r\n',
    b'Host: a"<b>\r\n\r\n', b'Host: a\r\nContent-Length: +5\r\n\r\nhello', b'Host: a\r\nContent-Length: 5_0\r\n\r\n',
    b'Host: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello'])
def test_what_a_proxy_may_read_in_another_way_is_refused(stack: Standalone, service: str, head: bytes) -> None:
    status, answer = exchange(stack, service, b'GET / HTTP/1.1\r\n' + head)
    assert status == 400 and json.loads(answer)['error']['message']
