"""A collector of spans as small as can be: OTLP over HTTP, decoded. It can take its time for ever."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1 import trace_pb2


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
