"""A collector of spans as small as can be: OTLP over HTTP, decoded. It can take its time for ever."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1 import trace_pb2

from tests.functional.standalone import Client, Cloud, wait_for

OUTSIDE = '3' * 16
"""The span of who asks, which no collector here ever sees."""


class Span:
    """One span, with ids as in ``traceparent``."""

    def __init__(self, told: Any, service: str) -> None:
        self.name, self.service = told.name, service
        self.kind = trace_pb2.Span.SpanKind.Name(told.kind).removeprefix('SPAN_KIND_')
        self.trace_id, self.span_id, self.parent_id = (
            each.hex() for each in (told.trace_id, told.span_id, told.parent_span_id))
        self.attributes = {each.key: getattr(each.value, each.value.WhichOneof('value')) for each in told.attributes}
        self.failed = told.status.code == trace_pb2.Status.STATUS_CODE_ERROR
        self.seconds = (told.end_time_unix_nano - told.start_time_unix_nano) / 1e9

    def __repr__(self) -> str:
        return f'{self.kind} {self.name!r} {self.span_id} under {self.parent_id or None}'


class Collector:
    """Listens on a free port. ``hangs``: it takes requests and never answers."""

    def __init__(self, hangs: bool = False) -> None:
        self.spans: list[Span] = []
        self.asked = 0
        self._end = threading.Event()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers['Content-Length']))
                collector.asked += 1
                if hangs:
                    collector._end.wait()
                    return
                collector.take(self.path, body)
                self.send_response(200)
                self.send_header('Content-Length', '0')
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                """Say nothing."""
        self._server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self._server.daemon_threads = True
        self.url = f'http://127.0.0.1:{self._server.server_port}'
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def take(self, path: str, body: bytes) -> None:
        """Decode what came."""
        assert path == '/v1/traces'
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = next(each.value.string_value for each in resource.resource.attributes
                           if each.key == 'service.name')
            self.spans += [Span(told, service) for scope in resource.scope_spans for told in scope.spans]

    def of(self, trace_id: str) -> list[Span]:
        """Return the spans of a trace."""
        return [span for span in self.spans if span.trace_id == trace_id]

    def close(self) -> None:
        """End."""
        self._end.set()
        self._server.shutdown()
        self._server.server_close()


def boot(client: Client, cloud: Cloud, **headers: str) -> str:
    """Make a server and wait for it; return the request's id."""
    answer = client.call('POST', 'compute', '/servers', cloud.request(), headers=headers)
    assert answer.status_code == 202, answer.text
    client.wait(answer.json()['server']['id'], 'ACTIVE')
    return answer.headers['X-OpenStack-Request-Id']


def trace_of(collector: Collector, trace_id: str) -> list[Span]:
    """Return a trace once its last report has come, what is above each span, and what answered each that asked."""
    def whole() -> list[Span] | None:
        spans = collector.of(trace_id)
        ids = {span.span_id for span in spans} | {'', OUTSIDE}
        top = any(span.kind == 'SERVER' and span.parent_id in ('', OUTSIDE) for span in spans)
        last = any(span.name == 'finish receive' for span in spans)
        above = {span.parent_id for span in spans}
        answered = all(span.span_id in above for span in spans if span.kind in ('CLIENT', 'PRODUCER'))
        return spans if top and last and answered and above <= ids else None
    return wait_for(whole, 20, 'the trace')


def chain(spans: list[Span], name: str, kind: str) -> list[str]:
    """Return the names of a span and of those above it, the outermost first."""
    by_id = {span.span_id: span for span in spans}
    span: Span | None = next(span for span in spans if (span.name, span.kind) == (name, kind))
    names: list[str] = []
    while span is not None:
        names.insert(0, span.name)
        above = by_id.get(span.parent_id)
        assert above is not None or span.parent_id in ('', OUTSIDE), f'the parent of {span} did not come'
        span = above
    return names
