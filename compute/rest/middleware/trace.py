"""Says to which trace a request belongs (W3C Trace Context), and makes its span while spans are recorded.

It stands behind what gives the request its id, and before the request log. A request is never refused for its headers.
"""

from __future__ import annotations

from typing import Any

from compute import traceparent, tracing

_METHODS = frozenset(('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'))


class TraceRequest:
    """Puts the request's place in a trace into ``environ['compute.trace']``; ``api`` names the API in spans."""

    def __init__(self, app: Any, api: str = 'unknown') -> None:
        self._app, self._api = app, api

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        parent = traceparent.read(environ.get('HTTP_TRACEPARENT'), environ.get('HTTP_TRACESTATE'))
        if tracing.is_on():
            return self._traced(parent, environ, start_response)
        environ['compute.trace'] = parent or traceparent.begin(environ.get('openstack.request_id'))
        return self._app(environ, start_response)

    def _traced(self, parent: traceparent.Trace | None, environ: dict[str, Any], start_response: Any) -> Any:
        method = environ.get('REQUEST_METHOD', '')
        method = method if method in _METHODS else '_OTHER'
        request_id = environ.get('openstack.request_id', '')
        span = tracing.span(method, tracing.SERVER, parent, {
            'http.request.method': method, 'url.path': environ.get('SCRIPT_NAME', '') + environ.get('PATH_INFO', ''),
            'compute.api': self._api, 'openstack.request_id': request_id}, request_id)
        environ['compute.trace'] = span.trace

        def started(status: str, headers: list[tuple[str, str]], *problem: Any) -> Any:
            span.note('http.response.status_code', int(status[:3]))
            if status[:1] == '5':
                span.fail(status)
            return start_response(status, headers, *problem)
        try:
            return self._app(environ, started)
        except Exception as error:
            span.fail(error)
            raise
        finally:
            route = environ.get('compute.route', '')
            if route:
                span.note('http.route', route)
            span.end(f'{method} {route}'.rstrip())
