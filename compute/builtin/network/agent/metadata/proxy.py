"""Passes requests of guests on to compute-metadata, with a signed statement of who asked.

The headers are those of Neutron's metadata agent: X-Forwarded-For, X-Instance-ID, X-Tenant-ID and
X-Instance-ID-Signature, the HMAC-SHA256 of the instance id. What the guest itself sends under such names is dropped.
The server calls this with complete requests only and sends the answers, so a slow guest keeps nobody waiting.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import logging
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from compute.http.reader import REFUSAL

LOG = logging.getLogger(__name__)
LARGEST_ANSWER = 4 * 1024 * 1024
HOP_BY_HOP = frozenset(('connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection',
                        'te', 'trailer', 'transfer-encoding', 'upgrade', 'expect'))
IDENTITY = frozenset(('forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-forwarded-prefix',
                      'x-real-ip', 'x-instance-id', 'x-instance-id-signature', 'x-tenant-id', 'x-project-id',
                      'x-metadata-provider', 'x-metadata-provider-signature'))
_WITH_BODY = ('POST', 'PUT', 'PATCH')
_Answer = tuple[int, str, list[tuple[str, str]], bytes]


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
        return self._path + path

    def statement(self, asker: Asker, address: str) -> dict[str, str]:
        """Return the headers that say who asks."""
        signature = hmac.new(self._secret, asker.instance_id.encode(), hashlib.sha256).hexdigest()
        return {'X-Forwarded-For': address, 'X-Instance-ID': asker.instance_id, 'X-Tenant-ID': asker.project_id,
                'X-Instance-ID-Signature': signature}


def passed_on(environ: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers of a guest's request that go on: neither about the connection nor about who asks."""
    kept = {'Content-Type': environ['CONTENT_TYPE']} if environ.get('CONTENT_TYPE') else {}
    for key, value in environ.items():
        name = key.removeprefix('HTTP_').replace('_', '-').title()
        if key.startswith('HTTP_') and name.lower() not in HOP_BY_HOP | IDENTITY | {'host'}:
            kept[name] = value
    return kept


class MetadataProxy:
    """A WSGI application for the guests of a network. ``asker_of`` returns the instance at an address, or None."""

    def __init__(self, asker_of: Callable[[str], Asker | None], upstream: Upstream) -> None:
        self._asker_of, self._upstream = asker_of, upstream

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        """Answer one request."""
        status, reason, headers, body = self._answer(environ)
        LOG.debug('metadata %s: %s %s: %d', environ['REMOTE_ADDR'], environ['REQUEST_METHOD'],
                  ascii(environ['PATH_INFO'])[1:-1], status)
        start_response(f'{status} {reason}', headers)
        return [body]

    def _answer(self, environ: dict[str, Any]) -> _Answer:
        asker = self._asker_of(environ['REMOTE_ADDR'])
        if asker is None:
            return _refused(404, 'No instance is known at this address')
        if (refusal := environ.get(REFUSAL)) is not None:
            return _refused(refusal.status, refusal.message)
        if not environ['REQUEST_URI'].startswith('/'):
            return _refused(400, 'The path does not begin with /')
        connection = self._upstream.connect()
        try:
            return self._ask(connection, asker, environ)
        except (http.client.InvalidURL, ValueError):
            return _refused(400, 'The path or a header has characters that HTTP does not allow')
        except (OSError, http.client.HTTPException) as error:
            LOG.warning('compute-metadata does not answer: %s', error)
            return _refused(503, 'The metadata service does not answer now')
        finally:
            connection.close()

    def _ask(self, connection: http.client.HTTPConnection, asker: Asker, environ: dict[str, Any]) -> _Answer:
        method, body = environ['REQUEST_METHOD'], environ['wsgi.input'].read()
        connection.putrequest(method, self._upstream.path(environ['REQUEST_URI']), skip_accept_encoding=True)
        for name, value in {**passed_on(environ), **self._upstream.statement(asker, environ['REMOTE_ADDR'])}.items():
            connection.putheader(name, value)
        if body or method in _WITH_BODY:
            connection.putheader('Content-Length', str(len(body)))
        connection.endheaders(body or None)
        answer = connection.getresponse()
        content = answer.read(LARGEST_ANSWER + 1)
        if len(content) > LARGEST_ANSWER:
            LOG.warning('compute-metadata answers %s of %s with more than %d bytes', ascii(environ['PATH_INFO'])[1:-1],
                        asker.instance_id, LARGEST_ANSWER)
            return _refused(502, 'The answer of the metadata service is too large')
        if answer.length:
            raise http.client.IncompleteRead(content, answer.length)
        dropped = HOP_BY_HOP if method == 'HEAD' else HOP_BY_HOP | {'content-length'}
        return answer.status, answer.reason, [
            (name, value) for name, value in answer.getheaders() if name.lower() not in dropped], content


def _refused(status: int, text: str) -> _Answer:
    return status, http.client.responses.get(status, 'Refused'), [('Content-Type', 'text/plain; charset=UTF-8')], (
        f'{status} {text}\n'.encode())
