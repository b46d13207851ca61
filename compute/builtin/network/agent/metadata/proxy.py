"""Passes one request of a guest on to compute-metadata, with a signed statement of who asked.

The headers are those of Neutron's metadata agent: X-Forwarded-For, X-Instance-ID, X-Tenant-ID and
X-Instance-ID-Signature, the HMAC-SHA256 of the instance id. What the guest itself sends under such names is dropped,
also when it is spelt with underscores, which WSGI servers do not tell from hyphens. Bodies are streamed. Each
connection carries one request, so that no guest keeps a thread for itself.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import logging
import socket
import urllib.parse
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any

LOG = logging.getLogger(__name__)
CHUNK = 65536
LARGEST_BODY = 1024 * 1024
HOP_BY_HOP = frozenset(('connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection',
                        'te', 'trailer', 'transfer-encoding', 'upgrade'))
IDENTITY = frozenset(('forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-forwarded-prefix',
                      'x-real-ip', 'x-instance-id', 'x-instance-id-signature', 'x-tenant-id', 'x-project-id',
                      'x-metadata-provider', 'x-metadata-provider-signature'))


@dataclass(frozen=True)
class Asker:
    """The instance behind an address."""

    instance_id: str
    project_id: str


class Upstream:
    """Where compute-metadata is, and the secret shared with it."""

    def __init__(self, url: str, secret: str, timeout: float) -> None:
        parts = urllib.parse.urlsplit(url)
        self.timeout = timeout
        self._secure = parts.scheme == 'https'
        self._host, self._port = parts.hostname or '127.0.0.1', parts.port
        self._path = parts.path.rstrip('/')
        self._secret = secret.encode()

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection that is made with the first request."""
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        return kind(self._host, self._port, timeout=self.timeout)

    def path(self, path: str) -> str:
        """Return the path there for a guest's path."""
        if not path.startswith('/'):
            parts = urllib.parse.urlsplit(path)
            path = urllib.parse.urlunsplit(('', '', parts.path or '/', parts.query, ''))
        return self._path + path

    def statement(self, asker: Asker, address: str) -> dict[str, str]:
        """Return the headers that say who asks."""
        signature = hmac.new(self._secret, asker.instance_id.encode(), hashlib.sha256).hexdigest()
        return {'X-Forwarded-For': address, 'X-Instance-ID': asker.instance_id, 'X-Tenant-ID': asker.project_id,
                'X-Instance-ID-Signature': signature}


def serve(connection: socket.socket, address: str, asker: Asker | None, upstream: Upstream) -> None:
    """Answer one request on a guest's connection and close it. ``asker`` None is somebody we do not know."""
    try:
        Exchange(connection, address, asker, upstream)
        connection.shutdown(socket.SHUT_WR)
    except (OSError, http.client.HTTPException) as error:
        LOG.debug('metadata request from %s ended: %s', address, error)
    finally:
        connection.close()


def passed_on(headers: Any) -> dict[str, str]:
    """Return the headers of a guest's request that go on: neither about the connection nor about who asks."""
    kept: dict[str, str] = {}
    for name, value in headers.items():
        lowered = name.lower()
        if '_' in name or lowered in HOP_BY_HOP or lowered in IDENTITY or lowered in ('host', 'content-length'):
            continue
        kept[name] = f'{kept[name]}, {value}' if name in kept else value
    return kept


class Exchange(BaseHTTPRequestHandler):
    """One request and its answer."""

    protocol_version = 'HTTP/1.1'
    server_version, sys_version = 'metadata', ''

    def __init__(self, connection: socket.socket, address: str, asker: Asker | None, upstream: Upstream) -> None:
        self._address, self._asker, self._upstream = address, asker, upstream
        connection.settimeout(upstream.timeout)
        super().__init__(connection, (address, 0), None)  # type: ignore[arg-type]

    def handle(self) -> None:
        self.handle_one_request()

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(CHUNK + 1)
        if len(self.raw_requestline) > CHUNK:
            self.requestline, self.request_version, self.command = '', '', ''
            self.send_error(414)
        elif self.raw_requestline and self.parse_request():
            self._answer()

    def log_message(self, format: str, *args: Any) -> None:
        LOG.debug('metadata %s: %s', self._address, format % args)

    def _answer(self) -> None:
        self.close_connection = True
        if self._asker is None:
            return self._refuse(404, 'No instance is known at this address')
        length = self.headers.get('Content-Length', '0')
        if self.headers.get('Transfer-Encoding') or not length.isdecimal():
            return self._refuse(411, 'The body needs a Content-Length')
        if int(length) > LARGEST_BODY:
            return self._refuse(413, f'The body has {length} bytes; {LARGEST_BODY} are allowed')
        connection = self._upstream.connect()
        try:
            answer = self._ask(connection, self._asker, int(length))
        except (http.client.InvalidURL, ValueError):
            self._refuse(400, 'The path or a header has characters that HTTP does not allow')
        except (OSError, http.client.HTTPException) as error:
            LOG.warning('compute-metadata does not answer: %s', error)
            self._refuse(503, 'The metadata service does not answer now')
        else:
            self._relay(answer)
        finally:
            connection.close()

    def _ask(self, connection: http.client.HTTPConnection, asker: Asker, length: int) -> http.client.HTTPResponse:
        headers = {**passed_on(self.headers), **self._upstream.statement(asker, self._address)}
        connection.putrequest(self.command, self._upstream.path(self.path), skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        if length or self.command in ('POST', 'PUT', 'PATCH'):
            connection.putheader('Content-Length', str(length))
        connection.endheaders()
        while length:
            data = self.rfile.read1(min(CHUNK, length))
            if not data:
                raise http.client.IncompleteRead(b'', length)
            connection.send(data)
            length -= len(data)
        return connection.getresponse()

    def _relay(self, answer: http.client.HTTPResponse) -> None:
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header('Connection', 'close')
        self.end_headers()
        while data := answer.read1(CHUNK):
            self.wfile.write(data)

    def _refuse(self, status: int, text: str) -> None:
        body = f'{status} {text}\n'.encode()
        self.send_response_only(status)
        self.send_header('Content-Type', 'text/plain; charset=UTF-8')
        self.send_header('Content-Length', str(len(body)))
        self.send_header('Connection', 'close')
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(body)
