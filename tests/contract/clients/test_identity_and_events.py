"""The small clients: whether a project exists, and events for Compute."""

from __future__ import annotations

import json
from typing import Any

import pytest
import webob

from compute import exception
from compute.clients.compute import Events, ServerEvents
from compute.clients.fake.compute import FakeServerEvents
from compute.clients.fake.identity import FakeIdentity
from compute.clients.identity import Identity, RestIdentity
from tests.contract.clients.cloud import TinyIdentity, connect, make_conf

PLUGGED = {'name': 'network-vif-plugged', 'server_uuid': 's1', 'status': 'completed', 'tag': 'p1'}


class Projects(TinyIdentity):
    """An Identity that also knows projects; ``answer`` maps ids to statuses."""

    def __init__(self, answer: dict[str, int]) -> None:
        super().__init__({'identity': 'http://identity/v3'})
        self._answer = answer

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        path = environ['PATH_INFO']
        if not path.startswith('/v3/projects/'):
            return super().__call__(environ, start_response)
        status = self._answer.get(path.rpartition('/')[2], 404)
        return webob.Response('{}', status=status, content_type='application/json', charset='UTF-8')(
            environ, start_response)


class Compute:
    """Takes events as Compute does: 404 when no server is known."""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        request = webob.Request(environ)
        assert request.path == '/v2.1/os-server-external-events' and request.method == 'POST'
        events = [{**event, 'code': 200 if event['server_uuid'] == 's1' else 404} for event in request.json['events']]
        codes = {event['code'] for event in events}
        body = {'events': events} if 200 in codes else {'itemNotFound': {'message': 'none', 'code': 404}}
        status = 404 if codes == {404} else 207 if 404 in codes else 200
        return webob.Response(json.dumps(body), status=status, content_type='application/json', charset='UTF-8')(
            environ, start_response)


def rest_identity() -> Identity:
    conf = make_conf(retries=0)
    connect(conf, {'identity': Projects({'p1': 200, 'secret': 403, 'ill': 500})})
    return RestIdentity(conf)


@pytest.mark.parametrize('client', [FakeIdentity(['p1']), rest_identity()])
def test_tells_whether_a_project_exists(client: Identity) -> None:
    assert client.project_exists(None, 'p1') is True
    assert client.project_exists(None, 'nope') is False
    assert client.project_exists(None, '../users') is False


def test_says_none_when_it_cannot_be_told() -> None:
    assert FakeIdentity().project_exists(None, 'p1') is None
    for project in ('secret', 'ill'):
        assert rest_identity().project_exists(None, project) is None
    conf = make_conf(retries=0)
    connect(conf, {})
    assert RestIdentity(conf).project_exists(None, 'p1') is None


def fake_events() -> Events:
    fake = FakeServerEvents()
    fake.unknown.add('s2')
    return fake


def rest_events() -> Events:
    conf = make_conf(retries=0)
    connect(conf, {'identity': TinyIdentity({'compute': 'http://compute/v2.1'}), 'compute': Compute()})
    return ServerEvents(conf)


@pytest.mark.parametrize('make', [fake_events, rest_events])
def test_events_come_back_with_codes(make: Any) -> None:
    client = make()
    assert client.send([]) == []
    answer = client.send([PLUGGED, {**PLUGGED, 'server_uuid': 's2'}])
    assert [event['code'] for event in answer] == [200, 404]
    with pytest.raises(exception.NotFound):
        client.send([{**PLUGGED, 'server_uuid': 's2'}])
