"""An application for tests of HTTP servers, and a client that is stepped by hand."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

from compute.exception import ComputeError
from compute.http.reader import REFUSAL
from compute.http_server import HttpServer
from tests.waiting import LONG, wait_until

SLOTS = 2
GET = b'GET / HTTP/1.1\r\nHost: here\r\n\r\n'
Start = Callable[..., HttpServer]
_IN_PIECES: dict[str, list[tuple[str, str]]] = {
    '/pieces': [], '/pieces/file': [], '/short/file': [('Content-Length', '10')]}
_ODD = {'/unread/file': ('401 Unauthorized', []), '/bad': ('200 OK', [('X-Split', 'a\r\nX-Other: b')])}


def fatal() -> Iterator[bytes]:
    """Fail with what is no Exception."""
    yield b'he'
    raise SystemExit


class Application:
    """Answers ``hello``, or in JSON what it was given; some paths wait until ``go`` is set."""

    def __init__(self) -> None:
        self.reached, self.go = threading.Semaphore(0), threading.Event()
        self.refused: list[ComputeError] = []
        self.large = b'x' * (8 << 20)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        if (refusal := environ.get(REFUSAL)) is not None:
            self.refused.append(refusal)
            return self._answer(start_response, f'{refusal.status} Refused', refusal.message.encode())
        path = environ['PATH_INFO']
        if path == '/fatal/file':
            start_response('200 OK', [])
            return fatal()
        if path in _IN_PIECES:
            start_response('200 OK', _IN_PIECES[path])
            return iter([b'he', b'', b'llo'])
        status, more = _ODD.get(path, ('200 OK', []))
        return self._answer(start_response, status, self._body(environ, path), *more)

    def _body(self, environ: dict[str, Any], path: str) -> bytes:
        if path in ('/wait', '/file/wait'):
            self.reached.release()
            assert self.go.wait(LONG)
        if path == '/environ':
            return json.dumps({name: value for name, value in environ.items() if isinstance(value, str)}).encode()
        if path in ('/echo', '/file'):
            return self._echo(environ)
        if path == '/broken':
            raise RuntimeError('oh')
        if path == '/exit':
            raise SystemExit
        return self.large if path == '/large' else b'hello'

    @staticmethod
    def _echo(environ: dict[str, Any]) -> bytes:
        try:
            return b'got ' + environ['wsgi.input'].read()
        except ComputeError as error:
            return f'{error.status} {error.code}'.encode()

    @staticmethod
    def _answer(start_response: Callable[..., Any], status: str, body: bytes, *more: tuple[str, str]) -> list[bytes]:
        start_response(status, [('Content-Length', str(len(body))), *more])
        return [body]


def connect(server: HttpServer) -> socket.socket:
    return socket.create_connection(('127.0.0.1', server.port), timeout=LONG)


def asked(method: str, path: str, *headers: str, body: bytes = b'') -> bytes:
    return '\r\n'.join([f'{method} {path} HTTP/1.1', 'Host: here', *headers, '', '']).encode() + body


def answer(client: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of the next answer."""
    got = b''
    while b'\r\n\r\n' not in got:
        more = client.recv(1)
        if not more:
            raise EOFError(got)
        got += more
    lines = got.decode('latin-1').split('\r\n')
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(':') for line in lines[1:-2])}
    body = b''
    while len(body) < int(headers.get('content-length', 0)):
        body += client.recv(int(headers['content-length']) - len(body))
    return int(lines[0].split()[1]), headers, body


def ask(server: HttpServer, request: bytes = GET) -> tuple[int, dict[str, str], bytes]:
    with connect(server) as client:
        client.sendall(request)
        return answer(client)


def eventually(condition: Callable[[], Any]) -> None:
    wait_until(condition, 'it')
