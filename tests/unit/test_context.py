"""compute.context: what of a trace travels in a message and shows in a line of the log."""

from __future__ import annotations

import pytest

from compute import context as ctx
from compute.traceparent import Trace

REQUEST, CALLER = 'req-11111111-2222-4333-8444-555555555555', 'req-66666666-2222-4333-8444-555555555555'
TRACE = Trace('4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7', 1, 'a=1')


def context(trace: Trace | None, **values: str) -> ctx.RequestContext:
    made = ctx.RequestContext(request_id=REQUEST, overwrite=False, **values)
    made.trace = trace
    return made


def test_a_trace_travels_under_its_names_in_http() -> None:
    wire = context(TRACE).to_wire()
    assert (wire['traceparent'], wire['tracestate']) == (TRACE.header, 'a=1')
    assert ctx.RequestContext.from_wire(wire).trace == TRACE


def test_what_belongs_to_no_trace_says_nothing_of_one() -> None:
    wire = context(None).to_wire()
    assert not {'traceparent', 'tracestate'} & wire.keys(), 'as the release before sends it'
    assert ctx.RequestContext.from_wire(wire).trace is None


@pytest.mark.parametrize('parent', ['', 'nonsense', f'00-{"0" * 32}-{"1" * 16}-01'])
def test_nonsense_from_a_peer_is_no_trace(parent: str) -> None:
    assert ctx.RequestContext.from_wire({'request_id': REQUEST, 'traceparent': parent}).trace is None


@pytest.mark.parametrize(('trace_id', 'values', 'shown'), [
    (TRACE.trace_id, {}, f' {TRACE.trace_id}'),
    ('11111111222243338444555555555555', {}, ''),
    ('66666666222243338444555555555555', {'global_request_id': CALLER}, ''),
    ('66666666222243338444555555555555', {}, ' 66666666222243338444555555555555')])
def test_a_line_shows_the_trace_where_the_request_id_does_not(trace_id: str, values: dict[str, str],
                                                              shown: str) -> None:
    told = context(TRACE._replace(trace_id=trace_id), **values).get_logging_values()
    assert (told['trace'], told['trace_id'], told['request_id']) == (shown, trace_id, REQUEST)


def test_lines_without_a_trace() -> None:
    told = context(None).get_logging_values()
    assert (told['trace'], told['trace_id']) == ('', None)


def test_the_current_context_is_one_of_ours() -> None:
    made = context(TRACE)
    made.update_store()
    assert ctx.current() is made
