"""Uploads and downloads over real sockets: both ways to send a body, breaks, and a kill -9."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.functional.image.running import Running, wait_until

MIB = 1024 * 1024


class Client:
    """The Image API without a client library in between."""

    def __init__(self, running: Running) -> None:
        self.running, self.token = running, running.token()

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection('127.0.0.1', self.running.image_port, timeout=120)
        sent = {'X-Auth-Token': self.token, 'Content-Type': 'application/json', **headers}
        try:
            connection.request(method, path, body, sent, encode_chunked=sent.get('Transfer-Encoding') == 'chunked')
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def make(self) -> str:
        status, body = self('POST', '/v2/images', json.dumps({'disk_format': 'raw', 'container_format': 'bare'}))
        assert status == 201, body
        return str(json.loads(body)['id'])

    def status(self, image_id: str) -> str:
        return str(json.loads(self('GET', f'/v2/images/{image_id}')[1])['status'])

    def leftovers(self) -> list[str]:
        return [path.name for path in (self.running.store / 'uploads').iterdir()]

    def begin(self, image_id: str, headers: str, first: bytes) -> socket.socket:
        """Start an upload by hand, and return when the daemon has taken it on."""
        sock = socket.create_connection(('127.0.0.1', self.running.image_port), timeout=120)
        sock.sendall(f'PUT /v2/images/{image_id}/file HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {self.token}\r\n'
                     f'Content-Type: application/octet-stream\r\n{headers}\r\n\r\n'.encode() + first)
        wait_until(lambda: self.status(image_id) == 'saving', 'the upload does not begin')
        return sock


@pytest.fixture(scope='module', params=['eventlet', 'threading'])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    made = Running(tmp_path_factory.mktemp(request.param), request.param)
    yield made
    made.close()


@pytest.fixture(scope='module')
def client(running: Running) -> Client:
    return Client(running)


@pytest.mark.parametrize('chunked', [True, False])
def test_both_ways_to_send_a_body(client: Client, chunked: bool) -> None:
    image_id, data = client.make(), bytes(range(256)) * 20000
    way = {'Transfer-Encoding': 'chunked'} if chunked else {'Content-Length': str(len(data))}
    pieces = [data[start:start + 70000] for start in range(0, len(data), 70000)]
    status, body = client('PUT', f'/v2/images/{image_id}/file', iter(pieces),
                          **{'Content-Type': 'application/octet-stream', **way})
    assert status == 204, body
    shown = json.loads(client('GET', f'/v2/images/{image_id}')[1])
    assert shown['os_hash_value'] == hashlib.sha512(data).hexdigest() and shown['status'] == 'active'
    assert client('GET', f'/v2/images/{image_id}/file') == (200, data)
    assert client('GET', f'/v2/images/{image_id}/file', Range='bytes=100-199') == (206, data[100:200])


@pytest.mark.parametrize(('headers', 'first'), [
    ('Content-Length: 3000000', bytes(1000)), ('Transfer-Encoding: chunked', b'2\r\nab\r\n'),
    ('Transfer-Encoding: chunked', b'1000\r\nab')])
def test_an_upload_that_breaks_off_leaves_a_queued_image_and_nothing_else(client: Client, headers: str,
                                                                          first: bytes) -> None:
    image_id = client.make()
    client.begin(image_id, headers, first).close()
    wait_until(lambda: client.status(image_id) == 'queued', 'the image stays saving')
    assert client.leftovers() == []


def test_a_second_upload_is_refused_while_the_first_runs(client: Client) -> None:
    image_id = client.make()
    with client.begin(image_id, 'Content-Length: 6', b'abc') as sock:
        assert client('PUT', f'/v2/images/{image_id}/file', b'x',
                      **{'Content-Type': 'application/octet-stream'})[0] == 409
        sock.sendall(b'def')
        assert b' 204 ' in sock.recv(100)
    assert client('GET', f'/v2/images/{image_id}/file') == (200, b'abcdef')


def test_an_image_deleted_while_it_is_uploaded_is_gone_and_leaves_nothing(client: Client) -> None:
    image_id = client.make()
    with client.begin(image_id, 'Content-Length: 6', b'abc') as sock:
        assert client('DELETE', f'/v2/images/{image_id}')[0] == 204
        sock.sendall(b'def')
        assert b' 410 ' in sock.recv(100)
    assert client('GET', f'/v2/images/{image_id}')[0] == 404
    assert client.leftovers() == [] and not (client.running.store / image_id).exists()


def test_after_a_kill_the_image_is_queued_and_can_be_uploaded(client: Client) -> None:
    image_id = client.make()
    sock = client.begin(image_id, 'Content-Length: 5000000', bytes(1200000))
    wait_until(lambda: len(client.leftovers()) == 1, 'no upload in the store')
    client.running.kill('image')
    sock.close()
    client.running.start('image')
    assert client.status(image_id) == 'queued' and client.leftovers() == []
    assert client('PUT', f'/v2/images/{image_id}/file', b'again',
                  **{'Content-Type': 'application/octet-stream'})[0] == 204
    assert client.status(image_id) == 'active'


def test_a_file_that_becomes_shorter_ends_the_connection(client: Client) -> None:
    """Whoever waits for the rest must not wait for ever, and must not believe that what came was all."""
    image_id, path = client.make(), client.running.store
    client('PUT', f'/v2/images/{image_id}/file', bytes(40 * MIB), **{'Content-Type': 'application/octet-stream'})
    connection = http.client.HTTPConnection('127.0.0.1', client.running.image_port, timeout=120)
    connection.request('GET', f'/v2/images/{image_id}/file', headers={'X-Auth-Token': client.token})
    answer = connection.getresponse()
    assert (answer.status, answer.headers['Content-Length']) == (200, str(40 * MIB))
    with open(path / image_id, 'r+b') as file:
        file.truncate(39 * MIB)  # far beyond what the sockets hold: it was not sent yet
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        answer.read()
    connection.close()
    log = (client.running.folder / 'image.log').read_text()
    assert f'the data of image {image_id} is damaged: its file ended {MIB} bytes too early' in log
    status, body = client('GET', f'/v2/images/{image_id}/file')
    assert status == 404 and b'is damaged' in body
    assert client.status(image_id) == 'active'


def test_an_image_of_many_pieces_comes_back_as_it_was_sent_and_others_are_served_meanwhile(client: Client) -> None:
    """The upload stands in the middle until another request was answered."""
    image_id, size = client.make(), 8 * MIB
    digest, others = hashlib.sha256(), []

    def chunks() -> Iterator[bytes]:
        for number in range(size // MIB):
            if number == 4:
                others.append(client('GET', f'/v2/images/{image_id}')[0])
            piece = number.to_bytes(4, 'big') * (MIB // 4)
            digest.update(piece)
            yield piece
    status, body = client('PUT', f'/v2/images/{image_id}/file', chunks(), **{
        'Content-Type': 'application/octet-stream', 'Content-Length': str(size)})
    assert (status, others) == (204, [200]), body
    status, data = client('GET', f'/v2/images/{image_id}/file')
    assert status == 200 and hashlib.sha256(data).digest() == digest.digest()
    client('DELETE', f'/v2/images/{image_id}')
