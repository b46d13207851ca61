"""``/healthcheck`` for load balancers and people: 200 while the daemon can work, else 503 with the reasons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson


class HealthCheck:
    """``problems`` returns one sentence for each thing that does not work now. HEAD 204; GET text, or JSON if asked."""

    def __init__(self, app: Any, problems: Callable[[], list[str]]) -> None:
        self._app, self._problems = app, problems

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if environ.get('PATH_INFO') != '/healthcheck' or environ.get('REQUEST_METHOD') not in ('GET', 'HEAD'):
            return self._app(environ, start_response)
        reasons = self._problems()
        head = environ['REQUEST_METHOD'] == 'HEAD'
        status = '503 Service Unavailable' if reasons else '204 No Content' if head else '200 OK'
        if 'json' in environ.get('HTTP_ACCEPT', ''):
            kind, body = 'application/json', orjson.dumps({'detailed': False, 'reasons': reasons or ['OK']})
        else:
            kind, body = 'text/plain; charset=UTF-8', '\n'.join(reasons or ['OK']).encode()
        if head:
            body = b''
        start_response(status, [('Content-Type', kind), ('Content-Length', str(len(body)))])
        return [body]
