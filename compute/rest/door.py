"""What a REST daemon answers before it can serve: 503 with what it waits for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from compute.rest.middleware.health import HealthCheck

Wsgi = Callable[[dict[str, Any], Any], Any]


class Door:
    """A WSGI application that is closed until ``open`` gives it the one behind it."""

    def __init__(self, reasons: Callable[[], list[str]]) -> None:
        self._reasons = reasons
        self._app: Wsgi = HealthCheck(self._closed, reasons)

    def open(self, app: Wsgi) -> None:
        """Let requests through from now on."""
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        return self._app(environ, start_response)

    def _closed(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        message = 'The service is starting: ' + '; '.join(self._reasons() or ['it is nearly there'])
        body = orjson.dumps({'error': {'code': 503, 'title': 'Service Unavailable', 'message': message}})
        start_response('503 Service Unavailable', [('Content-Type', 'application/json'), ('Retry-After', '3'),
                                                   ('Content-Length', str(len(body)))])
        return [body]
