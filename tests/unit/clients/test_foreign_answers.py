"""A page of a proxy before a neighbour: users read a sentence of ours, administrators a short excerpt, nobody HTML."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
import requests
import webob

from compute import exception
from compute.clients import session as session_module
from compute.clients.compute import ServerEvents
from compute.clients.identity import RestIdentity
from compute.clients.image import RestImages
from compute.clients.markup import is_html, plain
from compute.clients.network import RestNetworks
from compute.context import RequestContext
from compute.rest.errors import compute_shape, for_caller
from tests.contract.clients.cloud import TinyIdentity, WsgiAdapter, connect, make_conf

CALLER = RequestContext(auth_token='ann:p1:member', project_id='p1', overwrite=False)
NGINX = ('<html>\r\n<head><title>{status} Bad Gateway</title></head>\r\n<body>\r\n<center><h1>{status} Bad Gateway</h1>'
         '</center>\r\n<hr><center>nginx/1.22 on node-17</center>\r\n</body>\r\n</html>\r\n')
LONG = f'<!DOCTYPE html><style>{"body { color: red } " * 500}</style><script>alert(1)</script><p>node-17 is down</p>'
OPEN = '<script>alert("node-17")' + ' ' * 5000
PAGES = {'nginx': NGINX, 'long': LONG, 'open': OPEN, 'in json': json.dumps({'message': NGINX}),
         'json of a gateway': json.dumps({'error': 'node-17 upstream ' + 'x' * 900}), 'list': '["node-17"]',
         'text': 'node-17: no healthy upstream', 'empty': '', 'binary': '\x1b[31mnode-17\x00'}
CLIENTS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    'image': ('image', lambda conf: RestImages(conf).get(CALLER, 'i1')),
    'image data': ('image', lambda conf: next(RestImages(conf).download(CALLER, 'i1'))),
    'network': ('network', lambda conf: RestNetworks(conf).networks(CALLER)),
    'network as service': ('network', lambda conf: RestNetworks(conf).ports_of('s1')),
    'compute': ('compute', lambda conf: ServerEvents(conf).send([{'name': 'x'}]))}


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, '_pause', lambda attempt: None)


def proxied(status: int, page: str, type_: str = 'text/html') -> tuple[Any, WsgiAdapter]:
    """Return options of a cloud in which every service but Identity's login is behind a proxy with this page."""
    def proxy(environ: dict[str, Any], start_response: Any) -> Any:
        return webob.Response(page.replace('{status}', str(status)), status=status, content_type=type_,
                              charset='UTF-8')(environ, start_response)
    conf = make_conf(retries=0)
    login = TinyIdentity({'image': 'http://proxy', 'network': 'http://proxy', 'compute': 'http://proxy',
                          'identity': 'http://proxy'})
    return conf, connect(conf, {'identity': login, 'proxy': proxy})


def answer(error: exception.ComputeError, admin: bool) -> str:
    """Return the body of the answer to a caller whose request meets the error."""
    found = for_caller(error, admin)
    return json.dumps(compute_shape(found.status, found.message, found))


@pytest.mark.parametrize('name', CLIENTS)
@pytest.mark.parametrize('page', PAGES)
@pytest.mark.parametrize('status', [400, 403, 404, 409, 413, 418, 429, 500, 502, 503, 504])
def test_no_page_reaches_a_user(name: str, page: str, status: int) -> None:
    service, call = CLIENTS[name]
    conf, _ = proxied(status, PAGES[page])
    with pytest.raises(exception.ComputeError) as caught:
        call(conf)
    told, detailed = answer(caught.value, admin=False), answer(caught.value, admin=True)
    for text in (told, detailed, caught.value.message):
        assert not is_html(text) and '<' not in text and 'color' not in text and 'alert' not in text, text
    if page == 'in json' and service != 'compute' and name != 'network as service' and status < 429:
        return  # the service's own words, without the markup that they came in
    assert 'node-17' not in told and 'http' not in told, told
    assert len(detailed) < 600, detailed


@pytest.mark.parametrize('status', [502, 503, 504, 500, 429])
@pytest.mark.parametrize('name', CLIENTS)
def test_users_read_the_service_the_status_and_what_to_do(name: str, status: int) -> None:
    service, call = CLIENTS[name]
    with pytest.raises(exception.Unavailable) as caught:
        call(proxied(status, NGINX)[0])
    told = for_caller(caught.value, False).message
    assert f'The {service} service' in told and str(status) in told and 'Retry later' in told
    assert caught.value.message.endswith(f"{status} Bad Gateway nginx/1.22 on node-17'")
    assert caught.value.code == f'{service}_unavailable'


@pytest.mark.parametrize(('status', 'code', 'words'), [
    (404, 'image_not_found', 'image'), (409, 'conflict', 'state'), (413, 'too_large', 'limit'),
    (403, 'forbidden', 'permitted')])
def test_a_refusal_without_a_reason_of_the_service(status: int, code: str, words: str) -> None:
    with pytest.raises(exception.ComputeError) as caught:
        RestImages(proxied(status, NGINX)[0]).get(CALLER, 'i1')
    told = for_caller(caught.value, False).message
    assert caught.value.code == code and caught.value.status == status
    assert words in told and f'The image service answered {status} without a reason' in told
    assert 'node-17' in caught.value.message


def test_identity_logs_no_page(caplog: pytest.LogCaptureFixture) -> None:
    conf, _ = proxied(503, LONG)
    with caplog.at_level(logging.DEBUG):
        assert RestIdentity(conf).project_exists(CALLER, 'p1') is None
    told = [record.getMessage() for record in caplog.records if record.name.startswith('compute')]
    assert told and 'identity service' in told[-1] and '503' in told[-1]
    assert not any('<' in text or 'color' in text or len(text) > 400 for text in told)


def test_a_login_that_meets_a_proxy() -> None:
    conf = make_conf(retries=0)
    connect(conf, {'identity': webob.Response(NGINX.replace('{status}', '502'), status=502)})
    with pytest.raises(exception.Unavailable) as caught:
        RestNetworks(conf).ports_of('s1')
    assert '<' not in caught.value.message and '502' in caught.value.message


def test_a_success_that_is_a_page() -> None:
    with pytest.raises(exception.Unavailable) as caught:
        RestImages(proxied(200, NGINX)[0]).get(CALLER, 'i1')
    assert caught.value.code == 'bad_answer' and 'nginx' not in caught.value.message
    assert 'The image service' in for_caller(caught.value, False).message


def test_a_page_that_breaks_off(monkeypatch: pytest.MonkeyPatch) -> None:
    conf, adapter = proxied(502, NGINX)
    real = adapter.send

    class Broken:
        def stream(self, *args: Any, **more: Any) -> Any:
            raise session_module.urllib3.exceptions.ProtocolError('broken')

        def release_conn(self) -> None:
            """Do nothing."""

    def send(request: requests.PreparedRequest, **more: Any) -> requests.Response:
        response = real(request, **more)
        if 'proxy' in (request.url or ''):
            response.raw = Broken()
        return response
    monkeypatch.setattr(adapter, 'send', send)
    with pytest.raises(exception.Unavailable) as caught:
        next(RestImages(conf).download(CALLER, 'i1'))
    assert caught.value.code == 'image_unavailable' and caught.value.message.endswith('answered 502')


@pytest.mark.parametrize(('text', 'found'), [
    (NGINX, True), ('<br />', True), ('</P>', True), ('<!-- x', True), ('size <5> is', False), ('a < b', False),
    ("Reason: '<name>' is", False), ('', False)])
def test_what_counts_as_html(text: str, found: bool) -> None:
    assert is_html(text) is found


@pytest.mark.parametrize(('text', 'words'), [
    ('<b>a</b><i>b', 'a b'), ('<scr<script>x</script>ipt>y', 'y'), ('a<!-- b --> c<!-- d', 'a c'),
    ('<style>x', ''), ('<p class="', ''), ('a\x1b[31m\x00\n\tb', 'a [31m b'), ('&lt;b&gt;', '&lt;b&gt;'),
    ('x' * 50, 'x' * 10)])
def test_plain_words(text: str, words: str) -> None:
    assert plain(text, 10) == words[:10]
