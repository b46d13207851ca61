"""traceparent through the pipelines of api-paste.ini: read, carried into messages and the log, never refused."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import webob

from compute.api.app import make_app
from compute.context import RequestContext
from compute.rest import app
from compute.traceparent import Trace
from tests.api.compute.compute_cloud import MEMBER, ComputeApi, check_token
from tests.api.compute.serving import Servers

PASTE = str(Path(__file__).parents[3] / 'etc/compute/api-paste.ini')
TRACE, SPAN = '4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7'
NONSENSE = ['', 'x', f'00-{"0" * 32}-{SPAN}-01', f'00-{TRACE}-{"0" * 16}-01', f'ff-{TRACE}-{SPAN}-01',
            f'00-{TRACE}-{SPAN}-01,00-{TRACE}-{SPAN}-00', f'00-{TRACE}-{SPAN}-01-more', 'é' * 55, '0' * 9000]


def send(wsgi: Any, path: str, body: Any = None, **headers: str) -> webob.Response:
    request = webob.Request.blank(path, method='POST' if body else 'GET', headers={
        'X-Auth-Token': MEMBER, 'OpenStack-API-Version': 'compute 2.100', **headers})
    if body is not None:
        request.content_type, request.body = 'application/json', json.dumps(body).encode()
    return request.get_response(wsgi)


@pytest.fixture
def wsgi(api: ComputeApi) -> Any:
    return app.load(PASTE, 'compute', app.Lent(api.conf, {'compute': make_app(api.cloud)}, check_token))


def boot(servers: Servers, wsgi: Any, **headers: str) -> tuple[webob.Response, Trace]:
    """Create a server; return the answer and the trace of the cast that it sent."""
    answer = send(wsgi, '/v2.1/servers', servers.request(), **headers)
    assert answer.status_int == 202, answer.text
    trace = RequestContext.from_wire(servers.api.rpc.begun('create')[-1].context).trace
    assert trace is not None
    return answer, trace


def test_a_trace_goes_on_into_the_message(servers: Servers, wsgi: Any) -> None:
    _, trace = boot(servers, wsgi, traceparent=f'00-{TRACE}-{SPAN}-01', tracestate='vendor=1, other=2')
    assert trace == Trace(TRACE, SPAN, 1, 'vendor=1,other=2'), 'the place is left: no span was recorded here'


@pytest.mark.parametrize('text', NONSENSE, ids=range(len(NONSENSE)))
def test_nonsense_begins_a_trace_and_is_no_error(servers: Servers, wsgi: Any, text: str) -> None:
    answer, trace = boot(servers, wsgi, traceparent=text, tracestate='vendor=1')
    assert trace.trace_id == answer.headers['X-OpenStack-Request-ID'].removeprefix('req-').replace('-', '')
    assert trace.state == '', 'it belonged to what was not understood'


def test_a_request_without_one_begins_one(servers: Servers, wsgi: Any) -> None:
    first, second = (boot(servers, wsgi)[1] for _ in range(2))
    assert first.trace_id != second.trace_id and first.flags == 0


@pytest.mark.parametrize('token', [MEMBER, 'wrong'])
def test_every_line_of_the_log_has_the_trace(api: ComputeApi, wsgi: Any, caplog: pytest.LogCaptureFixture,
                                             token: str) -> None:
    from oslo_context import context
    seen = []

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            current: Any = context.get_current()
            seen.append(current.get_logging_values()['trace'])
    logger = logging.getLogger('compute.rest.request')
    handler = Lines()
    logger.addHandler(handler)
    caplog.set_level(logging.INFO, 'compute.rest.request')
    try:
        send(wsgi, '/v2.1/flavors', traceparent=f'00-{TRACE}-{SPAN}-01', **{'X-Auth-Token': token})
    finally:
        logger.removeHandler(handler)
    assert seen == [f' {TRACE}']


@pytest.mark.parametrize('daemon', ['compute', 'identity', 'image', 'network'])
def test_every_api_reads_it(api: ComputeApi, daemon: str) -> None:
    seen: list[Any] = []

    def end(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(environ['compute.trace'])
        start_response('200 OK', [])
        return [b'']
    pipeline = app.load(PASTE, daemon, app.Lent(api.conf, {daemon: end}, check_token))
    send(pipeline, '/', traceparent=f'00-{TRACE}-{SPAN}-01')
    assert seen == [Trace(TRACE, SPAN, 1)]


def test_guests_do_not_decide_what_is_recorded(api: ComputeApi) -> None:
    seen: list[Any] = []

    def end(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(environ.get('compute.trace'))
        start_response('200 OK', [])
        return [b'']
    pipeline = app.load(PASTE, 'metadata', app.Lent(api.conf, {'metadata': end}, check_token))
    send(pipeline, '/', traceparent=f'00-{TRACE}-{SPAN}-01')
    assert seen == [None]
