"""A light HTTP client: connections that stay open and nothing else, because it shares the processors with the cloud."""

from __future__ import annotations

import http.client
import json
import select
import socket
from typing import Any
from urllib.parse import urlsplit

TIMEOUT = 120


class Refused(Exception):
    """An answer that is an error, or none at all."""


class Session:
    """One caller's connections, one to each server. Not to be shared between threads."""

    def __init__(self) -> None:
        self._open: dict[str, http.client.HTTPConnection] = {}

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *problem: object) -> None:
        for connection in self._open.values():
            connection.close()

    def send(self, method: str, url: str, headers: dict[str, str] | None = None, body: Any = None
             ) -> tuple[http.client.HTTPResponse, bytes]:
        """Send a request and return the answer with its body. :raises Refused:"""
        parts = urlsplit(url)
        raw = json.dumps(body).encode() if body is not None else None
        more = {'Content-Type': 'application/json'} if raw else {}
        try:
            connection = self._connection(parts.netloc)
            connection.request(method, f'{parts.path}?{parts.query}' if parts.query else parts.path, raw,
                               {**(headers or {}), **more})
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._open.pop(parts.netloc, None)
            raise Refused(f'{method} {url}: {type(error).__name__} {error}') from error
        if answer.status >= 400:
            raise Refused(f'{method} {url}: {answer.status} {content[:300]!r}')
        return answer, content

    def _connection(self, where: str) -> http.client.HTTPConnection:
        if where in self._open and select.select([self._open[where].sock], [], [], 0)[0]:
            self._open.pop(where).close()  # nothing is asked for: the server closed it, after its idle time
        if where not in self._open:
            self._open[where] = connection = http.client.HTTPConnection(where, timeout=TIMEOUT)
            connection.connect()
            # A request with a body goes out in two parts; the second must not wait for the first's acknowledgement.
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._open[where]
