"""Spans of a whole boot, as a collector gets them; and a collector that hangs, which holds nothing up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.functional.collector import OUTSIDE, Collector, boot, chain, trace_of
from tests.functional.standalone import Client, Cloud, Standalone, running, wait_for
from tests.waiting import LONG


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


def tracing(url: str, **options: object) -> dict[str, dict[str, object]]:
    return {'tracing': {'enabled': True, 'endpoint': url, **options}}


@pytest.mark.parametrize('concurrency', ['eventlet', 'threading'])
def test_a_boot_is_one_trace_through_every_daemon(tmp_path: Path, collector: Collector, concurrency: str) -> None:
    with running(tmp_path, overrides=tracing(collector.url), concurrency=concurrency) as stack:
        client = Client(stack)
        cloud = Cloud(client)
        request_id = boot(client, cloud)
        spans = trace_of(collector, request_id.removeprefix('req-').replace('-', ''))
        post, conductor, worker = 'POST /v2.1/servers', ['conductor.begin', 'begin receive'], [
            'worker.begin', 'begin receive']
        assert chain(spans, 'GET /v2/images/{image_id}', 'SERVER') == [post, 'GET image', 'GET /v2/images/{image_id}']
        assert chain(spans, 'select receive', 'CONSUMER') == [
            post, *conductor, 'scheduling', 'scheduler.select', 'select receive']
        for stage in ('networking', 'spawning'):
            assert chain(spans, stage, 'INTERNAL') == [post, *conductor, *worker, stage]
        assert chain(spans, 'POST /v2.0/ports', 'SERVER') == [
            post, *conductor, *worker, 'networking', 'POST network', 'POST /v2.0/ports']
        assert chain(spans, 'finish receive', 'CONSUMER') == [
            post, *conductor, *worker, 'conductor.finish', 'finish receive']
        first = next(span for span in spans if span.name == post)
        assert (first.attributes['http.route'], first.attributes['http.response.status_code']) == ('/v2.1/servers', 202)
        assert first.attributes['openstack.request_id'] == request_id and first.service == 'compute-standalone'
        assert not [span for span in spans if span.failed]
        traces = {span.name for span in collector.spans if not span.parent_id}
        assert all(re.match(r'[A-Z]+ /', name) for name in traces), 'what daemons say to one another is no trace'
        assert not [name for name in traces if 'auth/revocations' in name]


def test_the_flag_of_who_asks_decides(tmp_path: Path, collector: Collector) -> None:
    with running(tmp_path, overrides=tracing(collector.url, sampling_ratio=0)) as stack:
        client = Client(stack)
        cloud = Cloud(client)
        own = boot(client, cloud)
        unwanted, wanted = 'a' * 32, 'b' * 32
        boot(client, cloud, traceparent=f'00-{unwanted}-{OUTSIDE}-00')
        boot(client, cloud, traceparent=f'00-{wanted}-{OUTSIDE}-01', tracestate='vendor=1')
        spans = trace_of(collector, wanted)
        assert {span.trace_id for span in collector.spans} == {wanted}, 'the ratio is 0'
        assert chain(spans, 'spawning', 'INTERNAL')[0] == 'POST /v2.1/servers'
        log = stack.log.read_text()
        assert f'{wanted}] server' in log and f'{unwanted}] server' in log
        assert not re.search(rf'\[\S+ {own} \S+ \S+ [0-9a-f]{{32}}\]', log), 'the id of the request says it already'


@pytest.mark.parametrize('concurrency', ['eventlet', 'threading'])
def test_nothing_waits_for_a_collector_that_hangs(tmp_path: Path, concurrency: str) -> None:
    """It answers nothing as long as the test runs, so that what waited for it would never be done."""
    collector = Collector(hangs=True)
    try:
        with running(tmp_path, overrides=tracing(collector.url, timeout=LONG * 2, queue_size=128),
                     concurrency=concurrency) as stack:
            client = Client(stack)
            cloud = Cloud(client)
            boot(client, cloud)
            wait_for(lambda: collector.asked, LONG, 'spans that hang')
            boot(client, cloud)
            before = metrics(stack)
            for _ in range(150):  # more than the queue takes
                assert client.call('GET', 'compute', '/flavors').status_code == 200
            after = metrics(stack)
            assert after['ended'] >= before['ended'] + 150 and not after['sent']
            assert stack.stop() == 0
    finally:
        collector.close()


def metrics(stack: Standalone) -> dict[str, float]:
    text = requests.get(f'http://127.0.0.1:{stack.ports["health"]}/metrics', timeout=LONG).text

    def value(name: str) -> float:
        found = re.search(rf'^{re.escape(name)} (\S+)$', text, re.MULTILINE)
        return float(found[1]) if found else 0.0
    return {'ended': value('compute_trace_spans_total{result="ended"}'),
            'sent': value('compute_trace_spans_total{result="sent"}')}
