"""One log line per request: who, what, status, size, time."""

from __future__ import annotations

import logging
import time
from typing import Any
from urllib.parse import quote

LOG = logging.getLogger('compute.rest.request')
_PLAIN = "/:;,=@!$&'()*+~"


class RequestLog:
    """Logs when the answer's headers are known; a stream's length is what its header says."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        begin = time.monotonic()

        def started(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            size = next((value for name, value in headers if name.lower() == 'content-length'), '-')
            version = environ.get('HTTP_OPENSTACK_API_VERSION') or '-'
            LOG.info('%s "%s %s" status: %s len: %s version: %s time: %.4f', environ.get('REMOTE_ADDR', '-'),
                     environ.get('REQUEST_METHOD'), _target(environ), status.split(' ')[0], size, version,
                     time.monotonic() - begin)
            return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)
        return self._app(environ, started)


def _target(environ: dict[str, Any]) -> str:
    # As it came: a decoded line feed would let a client write log lines of its own.
    path = quote(environ.get('SCRIPT_NAME', '') + environ.get('PATH_INFO', ''), safe=_PLAIN, encoding='latin-1')
    query = environ.get('QUERY_STRING')
    return f'{path}?{query}' if query else path
