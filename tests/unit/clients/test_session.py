"""Requests to neighbours: whose token, when again, and which error an answer means."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
import webob

from compute import exception
from compute.clients import session as session_module
from compute.clients.network import RestNetworks
from compute.clients.session import Neighbour
from compute.context import RequestContext
from compute.traceparent import Trace
from tests.contract.clients.cloud import SERVICE, TinyIdentity, WsgiAdapter, connect, make_conf

CALLER = RequestContext(auth_token='ann:p1:member', project_id='p1', overwrite=False)


class Script:
    """Answers with the given (status, body) in turn, the last one for ever, and keeps the requests."""

    def __init__(self, *answers: tuple[int, Any]) -> None:
        self.answers = list(answers)
        self.seen: list[webob.Request] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.seen.append(webob.Request(environ))
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        text = body if isinstance(body, str) else json.dumps(body)
        return webob.Response(text, status=status, content_type='application/json', charset='UTF-8')(
            environ, start_response)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, '_pause', lambda attempt: None)


def neighbour(script: Script, retries: int = 1) -> tuple[Neighbour, WsgiAdapter, TinyIdentity]:
    conf = make_conf(retries=retries)
    identity = TinyIdentity({'image': 'http://image'})
    adapter = connect(conf, {'identity': identity, 'image': script})
    return Neighbour(conf, 'image', '/v2'), adapter, identity


def test_the_caller_is_sent_with_its_request_id_and_the_service_user_logs_in_once() -> None:
    script = Script((200, {}))
    service, _, identity = neighbour(script)
    service.request('GET', '/images', context=CALLER)
    service.request('GET', '/images')
    service.request('GET', '/images', context=CALLER, service=True)
    assert [request.headers['X-Auth-Token'] for request in script.seen] == [CALLER.auth_token, SERVICE, SERVICE]
    assert script.seen[0].headers['X-OpenStack-Request-ID'] == CALLER.request_id
    assert script.seen[0].path == '/v2/images'
    assert identity.logins == 1


@pytest.mark.parametrize(('method', 'status', 'sent'), [
    ('GET', 503, 2), ('PUT', 504, 2), ('DELETE', 502, 2), ('POST', 503, 1), ('GET', 500, 1)])
def test_only_what_may_be_repeated_is_sent_again(method: str, status: int, sent: int) -> None:
    script = Script((status, 'busy'))
    with pytest.raises(exception.Unavailable):
        neighbour(script)[0].request(method, '/images')
    assert len(script.seen) == sent


def test_sent_again_until_it_succeeds() -> None:
    script = Script((503, ''), (503, ''), (200, {'a': 1}))
    assert neighbour(script, retries=2)[0].json('GET', '/images') == {'a': 1}


@pytest.mark.parametrize(('cause', 'sent'), [
    (requests.exceptions.ConnectTimeout(session_module.urllib3.exceptions.ConnectTimeoutError()), 2),
    (requests.ConnectionError(session_module.urllib3.exceptions.ProtocolError('aborted')), 1)])
def test_a_post_is_sent_again_only_if_it_never_arrived(cause: Exception, sent: int,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    service, adapter, _ = neighbour(Script((200, {})))
    service.request('GET', '/images')
    tries = []

    def fail(request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        tries.append(request)
        raise cause
    monkeypatch.setattr(adapter, 'send', fail)
    with pytest.raises(exception.Unavailable, match='image service at http://image/v2/images does not answer'):
        service.request('POST', '/images', json={})
    assert len(tries) == sent


@pytest.mark.parametrize(('status', 'body', 'kind', 'message'), [
    (400, {'badRequest': {'code': 400, 'message': 'no'}}, exception.Invalid, 'no'),
    (401, {'error': {'message': 'expired', 'code': 401}}, exception.Unauthorized, 'expired'),
    (403, {'message': 'may not', 'code': 403}, exception.Forbidden, 'may not'),
    (404, {'NeutronError': {'type': 'PortNotFound', 'message': 'gone'}}, exception.NotFound, 'gone'),
    (404, '<html><head><title>404</title></head><body><h1>Not</h1> here</body></html>', exception.NotFound, 'Not here'),
    (409, {'NeutronError': {'type': 'IpAddressInUse', 'message': 'taken'}}, exception.Conflict, 'taken'),
    (409, {'NeutronError': {'type': 'OverQuota', 'message': 'full'}}, exception.OverQuota, 'full'),
    (413, {'message': 'big'}, exception.TooLarge, 'big'),
    (429, {'message': 'slow'}, exception.Unavailable, 'slow'),
    (500, {'computeFault': {'message': 'oops'}}, exception.Unavailable, 'oops'),
])
def test_an_answer_becomes_a_kind_with_its_words(status: int, body: Any, kind: type[exception.ComputeError],
                                                 message: str) -> None:
    with pytest.raises(kind) as caught:
        neighbour(Script((status, body)), retries=0)[0].request('POST', '/images', context=CALLER)
    assert message in caught.value.message


def test_a_401_for_the_service_user_is_not_the_callers_fault() -> None:
    with pytest.raises(exception.Unavailable):
        neighbour(Script((401, {})))[0].request('GET', '/images')


def test_an_error_names_the_service_and_no_secret() -> None:
    conf = make_conf(retries=0)
    conf.set_override('url', 'http://ann:hidden@nowhere/v3', 'auth')
    connect(conf, {})
    with pytest.raises(exception.Unavailable) as caught:
        Neighbour(conf, 'image').request('GET', '/images')
    assert 'nowhere' in caught.value.message
    assert 'hidden' not in caught.value.message and conf.service_user.password not in caught.value.message


@pytest.mark.parametrize(('read', 'path'), [
    (lambda networks: networks.nics_of(['s1'], soon=True), '/ports?device_id=s1'),
    (lambda networks: networks.port(None, 'p1', soon=True), '/ports/p1')])
def test_ports_that_a_start_can_do_without_are_not_waited_for_long(monkeypatch: pytest.MonkeyPatch, read: Any,
                                                                   path: str) -> None:
    conf, waited = make_conf(retries=2), []
    adapter = connect(conf, {'identity': TinyIdentity({'network': 'http://network'}), 'network': Script((503, {}))})
    real = adapter.send

    def send(request: requests.PreparedRequest, timeout: float, **more: Any) -> requests.Response:
        if path in (request.url or ''):
            waited.append(timeout)
        return real(request, **more)
    monkeypatch.setattr(adapter, 'send', send)
    with pytest.raises(exception.Unavailable):
        read(RestNetworks(conf))
    assert waited == [5.0] and conf.service_user.timeout > 5.0


@pytest.mark.parametrize('script', [Script((503, {})), None], ids=['busy', 'out of reach'])
def test_names_of_groups_are_asked_for_once_and_not_waited_for_long(monkeypatch: pytest.MonkeyPatch,
                                                                    script: Script | None) -> None:
    """A list of servers waits for them, and does without."""
    conf, waited = make_conf(retries=2), []
    applications = {'identity': TinyIdentity({'network': 'http://network'}), 'network': script}
    adapter = connect(conf, applications if script else {'identity': applications['identity']})
    real = adapter.send

    def send(request: requests.PreparedRequest, timeout: float, **more: Any) -> requests.Response:
        waited.append(timeout)
        return real(request, **more)
    monkeypatch.setattr(adapter, 'send', send)
    with pytest.raises(exception.Unavailable):
        RestNetworks(conf).groups_by_id(['g1', 'g2', 'g1'], soon=True)
    sent = [each for each in adapter.log if '/security-groups' in (each.url or '')]
    assert [each.url for each in sent] == ['http://network/v2.0/security-groups?id=g1&id=g2&sort_key=id']
    assert waited[-1] == 5.0 < conf.service_user.timeout
    with pytest.raises(exception.Unavailable):
        RestNetworks(conf).groups_by_id(['g1'])
    asked = [each for each in adapter.log if each.url and each.url.endswith('?id=g1&sort_key=id')]
    assert len(asked) == 3, 'it is the answer'


def test_a_service_that_the_catalog_lacks_is_named() -> None:
    conf = make_conf()
    connect(conf, {'identity': TinyIdentity({})})
    with pytest.raises(exception.Unavailable, match='no network service in region RegionOne'):
        Neighbour(conf, 'network').request('GET', '/ports')


def test_the_last_known_endpoint_serves_callers_while_identity_is_down() -> None:
    script = Script((200, {}))
    service, adapter, _ = neighbour(script)
    service.request('GET', '/images')
    del adapter.applications['identity']
    service._connection.auth.invalidate()
    assert service.request('GET', '/images', context=CALLER).status_code == 200
    with pytest.raises(exception.Unavailable):
        service.request('GET', '/images')


def test_the_trace_goes_on_and_without_a_context_it_is_that_of_the_thread() -> None:
    script = Script((200, {}))
    service, _, _ = neighbour(script)
    trace = Trace('4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7', 1, 'a=1')
    caller = RequestContext(auth_token='ann:p1:member', overwrite=False)
    caller.trace = trace
    service.request('GET', '/images', context=caller)
    caller.update_store()
    service.request('GET', '/images')
    for request in script.seen:
        assert (request.headers['traceparent'], request.headers['tracestate']) == (trace.header, 'a=1')
        assert request.headers['X-OpenStack-Request-ID'] == caller.request_id
    tokens = [request.headers['X-Auth-Token'] for request in script.seen]
    assert tokens == [caller.auth_token, SERVICE], 'ids, not rights'
