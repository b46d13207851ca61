"""OpenTelemetry, as ``tracing`` uses it: loaded only where spans are recorded.

The provider is made here and set for the whole process before oslo.messaging sends anything: it would make one of its
own otherwise, without a ratio of samples, for an exporter that it cannot load (doc/decisions/0021_tracing.rst).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import trace as otel
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace.span import TraceState

from compute import metrics
from compute.traceparent import Trace, begin

LOG = logging.getLogger(__name__)
_BATCH = 128  # spans: putting more into one message would hold up green threads for long
_EVERY = 1000.0  # ms
_RANDOM_BITS = 56  # the last ones of a trace id: elsewhere a uuid has fixed bits
_LONGEST_TEXT = 500


class Library:
    """What is needed of it, in terms of ``Trace``."""

    attach, detach = staticmethod(otel_context.attach), staticmethod(otel_context.detach)
    current = staticmethod(otel.get_current_span)

    def __init__(self, provider: TracerProvider, processor: Queue, ids: Ids) -> None:
        self._tracer, self._processor, self._ids = provider.get_tracer('compute'), processor, ids

    def start(self, name: str, kind: str, parent: Trace | None, attributes: dict[str, Any],
              request_id: str | None) -> Any:
        """Begin a span."""
        if parent is None:
            self._ids.next(begin(request_id).trace_id)
        return self._tracer.start_span(name, self.under(parent), getattr(otel.SpanKind, kind), attributes)

    @staticmethod
    def under(parent: Trace | None) -> otel_context.Context:
        """Return the context in which a place is the parent of what begins."""
        outermost = otel_context.Context()
        if parent is None:
            return outermost
        place = otel.SpanContext(
            int(parent.trace_id, 16), int(parent.span_id, 16), True, otel.TraceFlags(parent.flags),
            TraceState.from_header([parent.state]) if parent.state else None)
        return otel.set_span_in_context(otel.NonRecordingSpan(place), outermost)

    @staticmethod
    def place(live: Any) -> Trace:
        """Return a span's place."""
        own = live.get_span_context()
        return Trace(f'{own.trace_id:032x}', f'{own.span_id:016x}', int(own.trace_flags),
                     own.trace_state.to_header() if own.trace_state else '')

    def close(self) -> None:
        """Send what waits and take no more; it may take as long as the collector takes."""
        self._processor.shutdown()


class Ids(RandomIdGenerator):
    """Random ids, but for a trace whose id its request gave."""

    def __init__(self) -> None:
        self._next = threading.local()

    def next(self, trace_id: str) -> None:
        """Let the next trace that this thread begins have an id."""
        self._next.trace_id = int(trace_id, 16)

    def generate_trace_id(self) -> int:
        """Return the id that was asked for, once."""
        given = getattr(self._next, 'trace_id', None)
        self._next.trace_id = None
        return super().generate_trace_id() if given is None else given

    def is_trace_id_random(self) -> bool:
        """Say nothing of it: that flag is not known to version 00."""
        return False


class Choice(Sampler):
    """As the parent's flag says. A trace that begins here is recorded by a ratio, if it begins with a request: the
    heartbeats and pings of daemons would be most of what there is."""

    def __init__(self, ratio: float) -> None:
        self._bound = round(ratio * (1 << _RANDOM_BITS))

    def should_sample(self, parent_context: Any, trace_id: int, name: str, kind: Any = None, attributes: Any = None,
                      links: Any = None, trace_state: Any = None) -> SamplingResult:
        """Decide."""
        parent = otel.get_current_span(parent_context).get_span_context()
        if parent.is_valid:
            wanted = parent.trace_flags.sampled
        else:
            wanted = kind is otel.SpanKind.SERVER and trace_id & ((1 << _RANDOM_BITS) - 1) < self._bound
        return SamplingResult(Decision.RECORD_AND_SAMPLE if wanted else Decision.DROP, attributes if wanted else None,
                              parent.trace_state if parent.is_valid else None)

    def get_description(self) -> str:
        """Say what it is."""
        return f'Choice({self._bound / (1 << _RANDOM_BITS)})'


class Queue(BatchSpanProcessor):
    """Counts what ends, too."""

    def on_end(self, span: ReadableSpan) -> None:
        """Queue a span."""
        metrics.count('compute_trace_spans_total', 'ended')
        super().on_end(span)


class Counted(SpanExporter):
    """Counts what another sends and gives up, and says when that changes: the library would say it each time."""

    def __init__(self, inner: SpanExporter, endpoint: str) -> None:
        self._inner, self._endpoint, self._works = inner, endpoint, True

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send."""
        result = self._inner.export(spans)
        works = result is SpanExportResult.SUCCESS
        metrics.count('compute_trace_spans_total', 'sent' if works else 'failed', by=len(spans))
        if works != self._works:
            self._works = works
            LOG.log(logging.INFO if works else logging.WARNING, 'the collector of spans at %s %s', self._endpoint,
                    'takes them again' if works else 'does not take them; what it does not take in time is lost')
        return result

    def shutdown(self) -> None:
        """Give up what is being sent."""
        self._inner.shutdown()


def load(conf: Any, name: str) -> Library:
    """Make the provider of this process, for which oslo.messaging makes spans as well. ``name``: of the daemon."""
    options = conf.tracing
    resource = Resource.create({'service.namespace': 'compute', 'service.name': f'compute-{name.replace("_", "-")}',
                                'host.name': conf.host})
    ids = Ids()
    provider = TracerProvider(Choice(options.sampling_ratio), resource, shutdown_on_exit=False, id_generator=ids)
    exporter = OTLPSpanExporter(f'{options.endpoint.rstrip("/")}/v1/traces', timeout=options.timeout)
    processor = Queue(Counted(exporter, options.endpoint), options.queue_size, _EVERY, _BATCH)
    provider.add_span_processor(processor)
    otel.set_tracer_provider(provider)
    from oslo_messaging._tracing import client
    conf.register_opts(client.oslo_messaging_tracing, group='oslo_messaging_tracing')  # on the global one only, else
    conf.set_override('tracing_enabled', True, group='oslo_messaging_tracing')
    return Library(provider, processor, ids)


def mark(live: Any, error: BaseException | str) -> None:
    """Mark a span as failed."""
    if isinstance(error, BaseException):
        live.set_attribute('error.type', getattr(error, 'code', None) or type(error).__name__)
        error = str(getattr(error, 'message', error))
    live.set_status(otel.StatusCode.ERROR, error[:_LONGEST_TEXT])
