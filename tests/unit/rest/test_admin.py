"""The operators' listener: up, degraded, down, in words and in JSON; metrics beside it."""

from __future__ import annotations

import pytest
import webob

from compute.health import DEGRADED, DOWN, UP, Finding, Report
from compute.rest.admin import Admin

SLOW = Finding(probe='broker', state=DEGRADED, reason='it took 3.0 s', value=3.0)
GONE = Finding(probe='database', state=DOWN, reason='Connection refused by 10.0.0.5')


def ask(path: str, *findings: Finding, method: str = 'GET', accept: str = '*/*') -> webob.Response:
    app = Admin(lambda: Report(findings=findings))
    return webob.Request.blank(path, method=method, accept=accept).get_response(app)


@pytest.mark.parametrize(('findings', 'status', 'text', 'ready'), [
    ((Finding(probe='broker', state=UP, value=0.01),), 200, 'OK', 'READY'),
    ((SLOW,), 200, 'DEGRADED\nbroker: it took 3.0 s', 'READY'),
    ((SLOW, GONE), 503, 'DOWN\nbroker: it took 3.0 s\ndatabase: Connection refused by 10.0.0.5', 'NOT READY')])
def test_health_in_words(findings, status, text, ready):
    answer = ask('/healthcheck', *findings)
    assert (answer.status_code, answer.text) == (status, text)
    answer = ask('/healthcheck/ready', *findings)
    assert (answer.status_code, answer.text) == (status, ready)
    assert ask('/healthcheck/live', *findings).status_code == 200
    assert ask('/healthcheck', *findings, method='HEAD').status_code == (204 if status == 200 else 503)


def test_health_in_json_has_every_probe_in_the_shape_of_oslo():
    body = ask('/healthcheck', SLOW, accept='application/json').json
    assert body == {'detailed': True, 'state': 'degraded', 'reasons': ['broker: it took 3.0 s'], 'probes': [
        {'probe': 'broker', 'state': 'degraded', 'reason': 'it took 3.0 s', 'value': 3.0, 'unit': 's'}]}
    assert ask('/healthcheck', accept='application/json').json['reasons'] == ['OK']


def test_metrics_and_nothing_else():
    answer = ask('/metrics')
    assert answer.content_type == 'text/plain' and 'process_cpu_seconds_total' in answer.text
    assert ask('/servers').status_code == 404
    assert ask('/metrics', method='POST').status_code == 405
