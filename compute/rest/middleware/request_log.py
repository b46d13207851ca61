"""One log line per request: who, what, status, size, time; and the same as metrics, by the template of its route.

The application behind says which template it was, in ``environ['compute.route']``: a raw path would be a label without
bound.
"""

from __future__ import annotations

import logging
import time
from typing import Any
from urllib.parse import quote

from compute import metrics

LOG = logging.getLogger('compute.rest.request')
_METHODS = frozenset(('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'))
_PLAIN = "/:;,=@!$&'()*+~"


class RequestLog:
    """Logs when the answer's headers are known; a stream's length is what its header says."""

    def __init__(self, app: Any, api: str = 'unknown') -> None:
        self._app, self._api = app, api

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        begin = time.monotonic()
        method = environ.get('REQUEST_METHOD', '-')

        def started(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            seconds = time.monotonic() - begin
            size = next((value for name, value in headers if name.lower() == 'content-length'), '-')
            version = environ.get('HTTP_OPENSTACK_API_VERSION') or '-'
            LOG.info('%s "%s %s" status: %s len: %s version: %s time: %.4f', _plain(environ.get('REMOTE_ADDR', '-')),
                     _plain(method), _target(environ), status[:3], size, _plain(version), seconds)
            metrics.observe('compute_http_request_seconds', seconds, self._api,
                            method if method in _METHODS else 'other', environ.get('compute.route', 'none'), status[:3])
            return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)
        metrics.count('compute_http_requests_in_flight', self._api)
        try:
            return self._app(environ, started)
        finally:
            metrics.count('compute_http_requests_in_flight', self._api, by=-1)


def _target(environ: dict[str, Any]) -> str:
    # As it came: a decoded line feed would let a client write log lines of its own.
    path = quote(environ.get('SCRIPT_NAME', '') + environ.get('PATH_INFO', ''), safe=_PLAIN, encoding='latin-1')
    query = environ.get('QUERY_STRING')
    return f'{path}?{_plain(query)}' if query else path


def _plain(text: str) -> str:
    """Escape what is not printable: a header may hold line feeds, and a query what terminals obey."""
    return text if text.isascii() and text.isprintable() else ascii(text)[1:-1]
