"""compute.traceparent: what is read of the headers, and what is as if it had not come."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compute import traceparent
from compute.traceparent import Trace

TRACE, SPAN = '4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7'
HEX = '0123456789abcdef'
VALID = re.compile(r'00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[0-3]')


def hexes(length: int) -> st.SearchStrategy[str]:
    return st.text(HEX, min_size=length, max_size=length).filter(lambda text: text.strip('0') != '')


@pytest.mark.parametrize('text', [
    '', '00', TRACE, f'00-{TRACE}-{SPAN}', f'00-{TRACE}-{SPAN}-1', f'00-{TRACE}-{SPAN}-01-', f'00-{TRACE}-{SPAN}-01-x',
    f'00-{TRACE.upper()}-{SPAN}-01', f'00-{TRACE}-{SPAN}-0X', f'00-{"0" * 32}-{SPAN}-01', f'00-{TRACE}-{"0" * 16}-01',
    f'ff-{TRACE}-{SPAN}-01', f'01-{TRACE}-{SPAN}-01x', f'00-{TRACE}-{SPAN}-01,00-{TRACE}-{SPAN}-01',
    f'00-{TRACE}-{SPAN}-01\n', f'00_{TRACE}-{SPAN}-01', f'00-{TRACE[:-1]}g-{SPAN}-01', f'0-{TRACE}-{SPAN}-01',
    f'00-{TRACE}-{SPAN}-٠1'])
def test_invalid(text: str) -> None:
    assert traceparent.read(text, 'a=1') is None


@pytest.mark.parametrize(('text', 'flags'), [
    (f'00-{TRACE}-{SPAN}-00', 0), (f'00-{TRACE}-{SPAN}-01', 1), (f'00-{TRACE}-{SPAN}-03', 3),
    (f'00-{TRACE}-{SPAN}-ff', 3), (f'cc-{TRACE}-{SPAN}-01', 1), (f'cc-{TRACE}-{SPAN}-02', 0),
    (f'cc-{TRACE}-{SPAN}-01-what-comes-later', 1)])
def test_valid_and_newer_versions(text: str, flags: int) -> None:
    assert traceparent.read(text) == Trace(TRACE, SPAN, flags)


@given(hexes(32), hexes(16), st.integers(0, 3))
def test_what_is_written_is_read(trace_id: str, span_id: str, flags: int) -> None:
    trace = Trace(trace_id, span_id, flags, 'a=1,b@c=2')
    assert VALID.fullmatch(trace.header)
    assert traceparent.read(trace.header, trace.state) == trace


@given(st.one_of(st.text(max_size=60), st.text(HEX + '-', min_size=50, max_size=60)), st.text())
def test_no_text_breaks_it_and_what_goes_out_is_valid(parent: str, state: str) -> None:
    found = traceparent.read(parent, state)
    assert found is None or VALID.fullmatch(found.header)


@pytest.mark.parametrize(('text', 'kept'), [
    ('rojo=00f067aa0ba902b7,congo=t61rcWkgMzE', 'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE'),
    (' a=1 ,\tb=2', 'a=1,b=2'), ('a=1,,b=2,', 'a=1,b=2'), ('t/1@sys=x y!', 't/1@sys=x y!'), ('a*_-/9=~', 'a*_-/9=~'),
    ('1@tenant=1', '1@tenant=1'), ('', ''),
    ('a=1,a=2', ''), ('A=1', ''), ('1a=1', ''), ('a', ''), ('a=', ''), ('=1', ''), ('a=1=2', ''), ('a=ü', ''),
    ('a@=1', ''), ('a@b@c=1', ''), (f'{"k" * 257}=1', ''), (f'a={"v" * 257}', ''), ('a=1\x00', ''),
    (','.join(f'k{number}=1' for number in range(32)), ','.join(f'k{number}=1' for number in range(32))),
    (','.join(f'k{number}=1' for number in range(33)), '')])
def test_state(text: str, kept: str) -> None:
    read = traceparent.read(f'00-{TRACE}-{SPAN}-01', text)
    assert read is not None and read.trace_id == TRACE and read.state == kept


def test_a_long_state_is_cut_at_members_the_large_ones_first() -> None:
    large, small = f'large={"x" * 200}', [f'k{number}={"y" * 50}' for number in range(12)]
    read = traceparent.read(f'00-{TRACE}-{SPAN}-01', ','.join([large, *small]))
    assert read is not None and read.state == ','.join(small[:9]) and len(read.state) <= 512


@given(st.dictionaries(st.text(string.ascii_lowercase, min_size=1, max_size=9),
                       st.text(string.ascii_letters + string.digits, min_size=1, max_size=40), max_size=8))
def test_members_keep_their_order(members: dict[str, str]) -> None:
    text = ','.join(f'{key}={value}' for key, value in members.items())
    read = traceparent.read(f'00-{TRACE}-{SPAN}-01', text)
    assert read is not None and read.state == text


def test_a_trace_that_begins_has_the_id_of_its_request() -> None:
    request_id = 'req-11111111-2222-4333-8444-555555555555'
    first, second = traceparent.begin(request_id), traceparent.begin(request_id)
    assert first.trace_id == second.trace_id == '11111111222243338444555555555555'
    assert traceparent.request_id_of(first.trace_id) == request_id
    assert first.span_id != second.span_id and first.flags == 0


@pytest.mark.parametrize('request_id', [None, '', 'req-1', f'req-{"0" * 8}-0000-0000-0000-{"0" * 12}'])
def test_a_trace_of_a_request_without_a_proper_id_is_random(request_id: str | None) -> None:
    assert VALID.fullmatch(traceparent.begin(request_id).header)
    assert traceparent.begin(request_id).trace_id != traceparent.begin(request_id).trace_id


@pytest.mark.parametrize(('text', 'is_one'), [
    (TRACE, True), ('0' * 32, False), (TRACE.upper(), False), ('req-1', False)])
def test_what_is_an_id(text: str, is_one: bool) -> None:
    assert traceparent.is_trace_id(text) is is_one
