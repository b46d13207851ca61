"""The listener for operators (``[health] listen_port``): how this process is in detail, and its metrics.

It asks for no token and says what is inside, so it is never the public address of an API. What it answers is known
already: no request here waits for a database or a broker.

``/healthcheck`` is 200 while the process can work, be it degraded, else 503; with ``Accept: application/json`` it shows
every probe. ``/healthcheck/ready`` is the same in one word, for load balancers and probes of an orchestrator;
``/healthcheck/live`` answers 200 while threads turn at all. ``/metrics`` is Prometheus' text format.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import orjson

from compute import metrics
from compute.health import DOWN, UP, Finding, Report

_TEXT = 'text/plain; charset=UTF-8'


class Admin:
    """The WSGI application. ``report`` returns what is known of the process now, without waiting."""

    def __init__(self, report: Callable[[], Report]) -> None:
        self._report = report
        self._pages: dict[str, Callable[[dict[str, Any]], tuple[str, str, bytes]]] = {
            '/healthcheck': self._health, '/healthcheck/ready': self._ready, '/healthcheck/live': self._live,
            '/metrics': self._metrics}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        page = self._pages.get(environ.get('PATH_INFO', ''))
        method = environ.get('REQUEST_METHOD')
        if page is None or method not in ('GET', 'HEAD'):
            status, kind, body = '404 Not Found' if page is None else '405 Method Not Allowed', _TEXT, b''
        else:
            status, kind, body = page(environ)
        if method == 'HEAD':
            status, body = '204 No Content' if status.startswith('200') else status, b''
        start_response(status, [('Content-Type', kind), ('Content-Length', str(len(body)))])
        return [body]

    def _health(self, environ: dict[str, Any]) -> tuple[str, str, bytes]:
        report = self._report()
        reasons = report.reasons()
        if 'json' in environ.get('HTTP_ACCEPT', ''):
            return _status(report), 'application/json', orjson.dumps({
                'detailed': True, 'state': report.state, 'reasons': reasons or ['OK'],
                'probes': [_shown(finding) for finding in report.findings]})
        lines = ['OK'] if report.state == UP else [report.state.upper(), *reasons]
        return _status(report), _TEXT, '\n'.join(lines).encode()

    def _ready(self, environ: dict[str, Any]) -> tuple[str, str, bytes]:
        report = self._report()
        return _status(report), _TEXT, b'NOT READY' if report.state == DOWN else b'READY'

    def _live(self, environ: dict[str, Any]) -> tuple[str, str, bytes]:
        return '200 OK', _TEXT, b'LIVE'

    def _metrics(self, environ: dict[str, Any]) -> tuple[str, str, bytes]:
        return '200 OK', metrics.CONTENT_TYPE, metrics.render()


def _status(report: Report) -> str:
    return '503 Service Unavailable' if report.state == DOWN else '200 OK'


def _shown(finding: Finding) -> dict[str, Any]:
    return asdict(finding)
