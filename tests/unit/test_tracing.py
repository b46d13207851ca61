"""compute.tracing: nothing while it is off; what is recorded, under which ids, and what the exporter tells."""

from __future__ import annotations

import logging
import random
import subprocess
import sys
import uuid
from typing import Any

import pytest
from opentelemetry import trace as otel
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from oslo_config import cfg

from compute import conf as options
from compute import context as ctx
from compute import exception, tracing, tracing_library
from compute.objects.operation import OperationRef
from compute.traceparent import Trace
from compute.tracing_library import Choice, Counted, Ids, Library

REQUEST = 'req-11111111-2222-4333-8444-555555555555'
OWN = '11111111222243338444555555555555'
OUTSIDE = Trace('4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7', 1, 'a=1,b=2')
OPERATION = OperationRef(operation_id=7, kind='create', instance_uuid='u')


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """Record here instead of sending; the ratio is 1."""
    return recording(monkeypatch, 1.0)


def recording(monkeypatch: pytest.MonkeyPatch, ratio: float) -> InMemorySpanExporter:
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    exporter, ids = InMemorySpanExporter(), Ids()
    provider = TracerProvider(Choice(ratio), id_generator=ids, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    unused: Any = None
    monkeypatch.setattr(tracing, '_on', Library(provider, unused, ids))
    return exporter


def of(exporter: InMemorySpanExporter) -> list[tuple[str, str, str | None]]:
    """Return name, span id and parent's id of each span."""
    return [(span.name, f'{span.context.span_id:016x}', f'{span.parent.span_id:016x}' if span.parent else None)
            for span in exporter.get_finished_spans()]


def context(trace: Trace | None = OUTSIDE) -> ctx.RequestContext:
    made = ctx.RequestContext(request_id=REQUEST, overwrite=False)
    made.trace = trace
    return made


# -- off --

def test_off_it_hands_through_what_it_gets() -> None:
    assert not tracing.is_on()
    with tracing.span('x', tracing.CLIENT, OUTSIDE, {}) as span:
        span.note('a', 1)
        span.fail('why')
    assert span.trace is OUTSIDE
    mine = context()
    stages = tracing.Stages(mine, OPERATION, 'h').enter('one')
    assert mine.trace is OUTSIDE
    stages.leave('why')
    send = object
    assert tracing.carried(mine, send) is send
    assert tracing.arrived() is None
    tracing.note_failure(ValueError())
    tracing.stop(1)


def test_the_library_is_not_loaded_while_it_is_off() -> None:
    program = ('import sys; from compute import service; from compute.configure import configure; '
               'conf = configure([], "compute-api"); '
               'service.tracing.start(conf, ["api"]); service.load("api"); service.load("worker"); '
               'print([name for name in sys.modules if name.startswith("opentelemetry")])')
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == '[]'


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    conf = options.register(cfg.ConfigOpts())
    conf([], default_config_files=[], default_config_dirs=[])
    monkeypatch.setitem(sys.modules, 'opentelemetry', None)
    monkeypatch.delitem(sys.modules, 'compute.tracing_library')
    tracing.start(conf, ['api'])
    assert not tracing.is_on(), 'it is not asked for'
    conf.set_override('enabled', True, 'tracing')
    with pytest.raises(exception.ComputeError) as caught:
        tracing.start(conf, ['api'])
    assert caught.value.code == 'tracing_library_missing' and 'otel' in str(caught.value.hint)


# -- which ids --

def test_a_trace_that_begins_here_has_the_id_of_its_request(spans: InMemorySpanExporter) -> None:
    with tracing.span('GET', tracing.SERVER, None, {}, REQUEST) as span:
        assert span.trace is not None and (span.trace.trace_id, span.trace.flags) == (OWN, 1)
    with tracing.span('GET', tracing.SERVER, None, {}, 'nonsense') as other:
        assert other.trace is not None and other.trace.trace_id != OWN
    assert of(spans)[0] == ('GET', span.trace.span_id, None)


def test_a_parent_from_outside(spans: InMemorySpanExporter) -> None:
    with tracing.span('GET', tracing.SERVER, OUTSIDE, {}) as span:
        assert span.trace is not None and span.trace.span_id != OUTSIDE.span_id
        assert (span.trace.trace_id, span.trace.flags, span.trace.state) == (OUTSIDE.trace_id, 1, 'a=1,b=2')
    assert of(spans) == [('GET', span.trace.span_id, OUTSIDE.span_id)]


# -- what is recorded --

@pytest.mark.parametrize(('ratio', 'parent', 'kind', 'recorded'), [
    (1.0, None, tracing.SERVER, True), (0.0, None, tracing.SERVER, False),
    (0.0, OUTSIDE, tracing.SERVER, True), (1.0, OUTSIDE._replace(flags=0), tracing.SERVER, False),
    (1.0, OUTSIDE._replace(flags=2), tracing.SERVER, False), (0.0, OUTSIDE._replace(flags=3), tracing.CLIENT, True),
    (1.0, None, tracing.CLIENT, False), (1.0, None, tracing.INTERNAL, False)])
def test_the_parents_flag_decides_and_else_the_ratio(monkeypatch: pytest.MonkeyPatch, ratio: float,
                                                     parent: Trace | None, kind: str, recorded: bool) -> None:
    exporter = recording(monkeypatch, ratio)
    with tracing.span('x', kind, parent, {}, REQUEST) as span:
        assert span.trace is not None and bool(span.trace.flags & 1) is recorded
    assert len(exporter.get_finished_spans()) == recorded


@pytest.mark.parametrize('ratio', [0.1, 0.5, 0.9])
def test_the_ratio_is_met_by_ids_that_are_uuids(monkeypatch: pytest.MonkeyPatch, ratio: float) -> None:
    exporter, dice = recording(monkeypatch, ratio), random.Random(1)
    for _ in range(1000):
        with tracing.span('x', tracing.SERVER, None, {}, f'req-{uuid.UUID(int=dice.getrandbits(128), version=4)}'):
            pass
    assert abs(len(exporter.get_finished_spans()) / 1000 - ratio) < 0.03


# -- spans --

def test_stages_follow_one_another_under_what_they_belong_to(spans: InMemorySpanExporter) -> None:
    mine = context()
    stages = tracing.Stages(mine, OPERATION, 'host1').enter('one')
    first = mine.trace
    stages.enter('two')
    stages.leave(exception.Conflict('in the way', code='wrong_state'))
    stages.leave('not again')
    assert mine.trace is OUTSIDE and first is not None
    assert [(name, parent) for name, _, parent in of(spans)] == [('one', OUTSIDE.span_id), ('two', OUTSIDE.span_id)]
    one, two = spans.get_finished_spans()
    assert one.attributes is not None and two.attributes is not None
    assert one.attributes['compute.host'] == 'host1' and one.attributes['compute.operation.id'] == 7
    assert one.status.is_unset
    assert (two.status.description, two.attributes['error.type']) == ('in the way', 'wrong_state')


def test_what_breaks_inside_a_span_is_noted(spans: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError), tracing.span('x', tracing.CLIENT, OUTSIDE, {}):
        raise ValueError('why')
    span, = spans.get_finished_spans()
    assert not span.status.is_ok and span.attributes is not None and span.attributes['error.type'] == 'ValueError'


def test_the_librarys_own_spans_are_children_of_the_contexts(spans: InMemorySpanExporter) -> None:
    mine = context()
    seen = tracing.carried(mine, tracing.arrived)()
    assert seen == OUTSIDE
    assert tracing.arrived() is None, 'and only in there'
    nobody = tracing.carried(context(None), tracing.arrived)()
    assert nobody is not None and (nobody.trace_id, nobody.flags) == (OWN, 0), 'a heartbeat is not recorded'


def test_a_failure_is_noted_on_the_span_of_the_message(spans: InMemorySpanExporter) -> None:
    tracer: Any = tracing._on._tracer
    with tracer.start_as_current_span('receive', context=Library.under(OUTSIDE)):
        tracing.note_failure(exception.NotFound('it is gone'))
    span, = spans.get_finished_spans()
    assert span.status.status_code is otel.StatusCode.ERROR and span.status.description == 'it is gone'


# -- the exporter --

class Collector(SpanExporter):
    """Takes what comes, or not."""

    def __init__(self, *results: SpanExportResult) -> None:
        self.results = list(results)

    def export(self, spans: Any) -> SpanExportResult:
        return self.results.pop(0)

    def shutdown(self) -> None:
        """Nothing to end."""


def test_a_collector_that_is_away_is_told_once_and_its_return_too(caplog: pytest.LogCaptureFixture) -> None:
    good, bad = SpanExportResult.SUCCESS, SpanExportResult.FAILURE
    counted = Counted(Collector(good, bad, bad, good, good), 'http://c')
    before = [tracing_library.metrics.value('compute_trace_spans_total', each) for each in ('sent', 'failed')]
    caplog.set_level(logging.INFO)
    for _ in range(5):
        counted.export([ReadableSpan('x')] * 2)
    after = [tracing_library.metrics.value('compute_trace_spans_total', each) for each in ('sent', 'failed')]
    assert [end - begin for begin, end in zip(before, after, strict=True)] == [6, 4]
    assert [(record.levelname, 'again' in record.message) for record in caplog.records] == [
        ('WARNING', False), ('INFO', True)]
