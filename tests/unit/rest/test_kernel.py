"""What the kernel does for every operation, seen over WSGI."""

from __future__ import annotations

import dataclasses
import json
import logging
from typing import Any

import orjson
import pytest
import webob
from oslo_config import cfg
from oslo_policy import policy as oslo_policy

from compute import context as ctx
from compute.exception import Conflict, Invalid, NotFound, Unauthorized, Unavailable
from compute.http.reader import REFUSAL
from compute.rest.errors import compute_shape, identity_shape, image_shape, network_shape
from compute.rest.fields import ListOf, Required, Since, Until, fields
from compute.rest.kernel import Api, Kernel
from compute.rest.op import Body, Op, Query, Resource, View
from compute.rest.policy import Policy
from compute.rest.reply import Reply, Stream
from compute.rest.versions import Negotiation, Version, window

STRING = {'type': 'string'}


def _thing(call: Any) -> dict[str, str]:
    if call.path['id'] != 'known':
        raise NotFound('There is no such thing')
    return {'id': 'known', 'project_id': 'other'}


def _create(call: Any) -> Any:
    return {'thing': {'id': 'new', 'tags': [], 'old': 1, 'body': call.body, 'fact': call.facts['slow']}}


def _fails(call: Any) -> Any:
    raise RuntimeError('password=hunter2')


OPS = (
    Op('GET', '/', lambda call: {'public': True}, public=True),
    Op('POST', '/things', _create, policy='anybody', status=(('2.1', 200), ('2.10', 201)),
       body=Body('thing', fields(name=Required(STRING), secret=STRING, description=Since('2.19', STRING))),
       view=View('thing', fields(tags=Since('2.26', {}), old=Until('2.30', {}))), facts={'slow': window('2.5')}),
    Op('GET', '/things', lambda call: {'query': call.query}, policy='anybody',
       query=Query(fields(name=STRING, sort_key=ListOf(STRING)), repeats=('sort_key',), strict=window('2.75'))),
    Op('GET', '/things/detail', lambda call: {'detail': True}, policy='anybody'),
    Op('GET', '/things/{id}', lambda call: call.target, policy='owner', loads=_thing),
    Op('DELETE', '/things/{id}', lambda call: None, policy='anybody', status=204, loads=_thing),
    Op('PUT', '/things/{id}', lambda call: Reply({'x': 1}, headers={'Location': 'there'}), policy='anybody',
       since='2.3', until='2.6'),
    Op('GET', '/old', gone=True),
    Op('GET', '/broken', _fails, policy='anybody'),
    Op('GET', '/stream', lambda call: Stream(iter([b'ab', b'cd']), 4), policy='anybody'),
    Op('ACTION', 'os-do', lambda call: None, policy='anybody', status=202),
    Op('ACTION', 'with', lambda call: {'got': call.body}, policy='anybody',
       body=Body('with', fields(type=Required(STRING)))),
)


@pytest.fixture(scope='module')
def kernel() -> Kernel:
    conf = cfg.ConfigOpts()
    conf([], project='test')
    rules = [oslo_policy.RuleDefault('anybody', '@'),
             oslo_policy.RuleDefault('owner', 'role:admin or project_id:%(project_id)s')]
    negotiation = Negotiation('compute', Version.of('2.1'), Version.of('2.104'), 'X-OpenStack-Nova-API-Version')
    return Kernel(Api('test', (Resource('things', OPS, actions='/things/{id}/action'),), None, Policy(conf, rules),
                      compute_shape, '/v2.1', negotiation, project_in_path=True, max_body=200))


def test_the_limit_of_a_body_is_what_the_pipeline_says(kernel: Kernel) -> None:
    request = webob.Request.blank('/things', method='POST', environ={'compute.max_body': 20})
    request.body, request.content_type = b'{"thing": {"name": "aaaaaaaa"}}', 'application/json'
    request.environ['compute.context'] = ctx.RequestContext(user_id='u', project_id='p')
    answer = request.get_response(kernel)
    assert answer.status_int == 413
    assert answer.json['overLimit']['message'] == 'The body has 31 bytes; the limit is 20'


def test_what_the_server_refuses_is_refused_in_the_shape_of_the_api(kernel: Kernel) -> None:
    request = webob.Request.blank('/things', method='POST', environ={
        REFUSAL: Invalid('The body broke off: 3 of 5 bytes have come', code='body_broken_off')})
    answer = request.get_response(kernel)
    assert (answer.status_int, answer.json['badRequest']['reason']) == (400, 'body_broken_off')


class Broken:
    """A body whose client is gone."""

    def read(self, size: int = -1) -> bytes:
        """Fail as servers do."""
        raise OSError('the client is gone')


def test_a_body_that_breaks_off_is_a_bad_request(kernel: Kernel, caplog: pytest.LogCaptureFixture) -> None:
    request = webob.Request.blank('/things', method='POST', environ={
        'wsgi.input': Broken(), 'CONTENT_LENGTH': '50', 'CONTENT_TYPE': 'application/json',
        'compute.context': ctx.RequestContext(user_id='u', project_id='p')})
    with caplog.at_level(logging.INFO):
        assert request.get_response(kernel).status_int == 400
    assert {record.levelno for record in caplog.records} == {logging.INFO}


@pytest.mark.parametrize(('method', 'path', 'body'), [
    ('POST', '/things', {'thing': {'name': ['x' * 5000]}}), ('POST', '/things', {'thing': {'x' * 5000: 1}}),
    ('POST', '/things', {'thing': {'name': 10 ** 4000}}), ('POST', '/things/known/action', {'x' * 5000: 1}),
    ('GET', f'/things?{"x" * 5000}=1', None), ('GET', f'/things?name=1&{"%C3%A9" * 500}=1', None)])
def test_a_message_quotes_little_of_a_value(kernel: Kernel, method: str, path: str, body: Any) -> None:
    raw = json.dumps(body).encode() if body else None
    message = send(Kernel(dataclasses.replace(kernel.api, max_body=20000)), method, path, raw, '2.80').json[
        'badRequest']['message']
    assert len(message) < 250, message


def send(kernel: Kernel, method: str, path: str, body: Any = None, version: str | None = None, *,
         token: bool = True, roles: tuple[str, ...] = ('member',), **headers: str) -> webob.Response:
    request = webob.Request.blank(path, method=method, headers=headers)
    if body is not None:
        request.body = body if isinstance(body, bytes) else orjson.dumps(body)
        request.content_type = headers.get('Content-Type', 'application/json')
    if version:
        request.headers['OpenStack-API-Version'] = f'compute {version}'
    if token:
        request.environ['compute.context'] = ctx.RequestContext(
            user_id='u', project_id='0123456789abcdef0123456789abcdef', roles=list(roles), is_admin='admin' in roles)
    return request.get_response(kernel)


@pytest.mark.parametrize(('method', 'path', 'body', 'version', 'status', 'words'), [
    ('POST', '/things', {'thing': {'name': 'a', 'description': 'b'}}, '2.18', 400, 'description'),
    ('POST', '/things', {'thing': {'name': 'a', 'description': 'b'}}, '2.19', 201, 'description'),
    ('POST', '/things', {'thing': {'name': 'a'}}, None, 200, 'new'),
    ('POST', '/things', {'thing': {}}, None, 400, "'name' is a required property"),
    ('POST', '/things', {'thing': {'name': 3}}, None, 400, "thing.name: it is not of type 'string'. Value: 3"),
    ('POST', '/things', b'{', None, 400, 'Malformed request body'),
    ('POST', '/things', {'thing': {'name': 'x' * 300}}, None, 413, 'limit'),
    ('GET', '/things?name=a&other=1', None, '2.74', 200, '"name":"a"'),
    ('GET', '/things?name=a&other=1', None, '2.75', 400, 'other'),
    ('GET', '/things?sort_key=a&sort_key=b', None, None, 200, '["a","b"]'),
    ('GET', '/things/detail', None, None, 200, 'true'),
    ('GET', '/things/unknown', None, None, 404, 'There is no such thing'),
    ('GET', '/things/known', None, None, 403, 'owner'),
    ('PATCH', '/things/known', None, None, 405, 'DELETE, GET'),
    ('PUT', '/things/known', None, '2.2', 404, '2.2'),
    ('PUT', '/things/known', None, '2.3', 200, 'x'),
    ('PUT', '/things/known', None, '2.6', 404, '2.6'),
    ('GET', '/old', None, None, 410, 'removed'),
    ('GET', '/nowhere', None, None, 404, 'could not be found'),
    ('GET', '/', None, '2.105', 406, '2.104'),
    ('GET', '/', None, 'x.y', 400, 'x.y'),
    ('GET', '/', None, 'latest', 200, 'public'),
    ('POST', '/things/known/action', {'os-do': None}, None, 202, ''),
    ('POST', '/things/known/action', {'nothing': None}, None, 400, 'nothing'),
    ('POST', '/things/known/action', {'with': {'type': 'x'}}, None, 200, '"type":"x"'),
    ('POST', '/things/known/action', {'with': {}}, None, 400, 'type'),
    ('GET', '/0123456789abcdef0123456789abcdef/things/detail', None, None, 200, 'true'),
    ('GET', '/1123456789abcdef0123456789abcdef/things/detail', None, None, 400, 'project_id'),
])
def test_answers(kernel: Kernel, method: str, path: str, body: Any, version: str | None, status: int,
                 words: str) -> None:
    answer = send(kernel, method, path, body, version)
    assert (answer.status_int, words in answer.text) == (status, True), answer.text


def test_version_headers_are_on_every_answer(kernel: Kernel) -> None:
    for path in ('/', '/nowhere', '/broken'):
        answer = send(kernel, 'GET', path, version='2.30')
        assert answer.headers['OpenStack-API-Version'] == 'compute 2.30'
        assert answer.headers['X-OpenStack-Nova-API-Version'] == '2.30'
        assert 'OpenStack-API-Version' in answer.headers['Vary']


def test_views_lose_what_is_too_new_and_what_has_left(kernel: Kernel) -> None:
    def shown(version: str) -> dict[str, Any]:
        thing: dict[str, Any] = send(kernel, 'POST', '/things', {'thing': {'name': 'a'}}, version).json['thing']
        return thing
    assert ('tags' in shown('2.25'), 'tags' in shown('2.26')) == (False, True)
    assert ('old' in shown('2.29'), 'old' in shown('2.30')) == (True, False)
    assert (shown('2.4')['fact'], shown('2.5')['fact']) == (False, True)


def test_without_a_token_only_public_operations(kernel: Kernel) -> None:
    assert send(kernel, 'GET', '/', token=False).status_int == 200
    for path in ('/things', '/nowhere', '/things/unknown'):
        answer = send(kernel, 'GET', path, token=False)
        assert answer.status_int == 401 and answer.headers['WWW-Authenticate'].startswith('Keystone')


def test_an_unexpected_error_tells_nothing(kernel: Kernel) -> None:
    answer = send(kernel, 'GET', '/broken')
    assert answer.status_int == 500 and 'hunter2' not in answer.text


def test_secrets_are_not_in_errors(kernel: Kernel) -> None:
    answer = send(kernel, 'POST', '/things', {'thing': {'name': 'a', 'secret': ['hunter2']}})
    assert answer.status_int == 400 and 'hunter2' not in answer.text


def test_etag(kernel: Kernel) -> None:
    first = send(kernel, 'GET', '/things/detail')
    again = send(kernel, 'GET', '/things/detail', **{'If-None-Match': first.headers['ETag']})
    assert (again.status_int, again.body) == (304, b'')


def test_stream(kernel: Kernel) -> None:
    answer = send(kernel, 'GET', '/stream')
    assert (answer.body, answer.content_length) == (b'abcd', 4)


def test_every_operation_must_name_a_policy_that_exists() -> None:
    conf = cfg.ConfigOpts()
    conf([], project='test')
    policy = Policy(conf, [oslo_policy.RuleDefault('anybody', '@')])
    for op in (Op('GET', '/x', _create), Op('GET', '/x', _create, policy='unknown')):
        with pytest.raises(ValueError, match='policy'):
            Kernel(Api('test', (Resource('x', (op,)),), None, policy, compute_shape, ''))


@pytest.mark.parametrize('path', ['/things/%ff', '/things?name=%ff', '/things?%fe=1', '/things?name=%00'])
def test_a_url_that_is_no_text_is_refused(kernel: Kernel, path: str) -> None:
    assert send(kernel, 'GET', path).status_int == 400


@pytest.mark.parametrize(('body', 'status'), [
    (b'{"thing": {"name": "a\\u0000b"}}', 400), (b'{"thing": {"name": "a\\\\\\u0000b"}}', 400),
    (b'{"thing": {"name": "a\\\\u0000b"}}', 200), (b'{"thing": {"name": "a"}}', 200)])
def test_a_nul_in_a_body_is_refused(kernel: Kernel, body: bytes, status: int) -> None:
    assert send(kernel, 'POST', '/things', body).status_int == status


@pytest.mark.parametrize(('depth', 'refused'), [(60, False), (70, True)])
def test_a_body_that_is_nested_too_deep_is_refused(kernel: Kernel, depth: int, refused: bool) -> None:
    answer = send(kernel, 'POST', '/things', b'{"thing": {"name": "a"}, "more": ' + b'[' * depth + b']' * depth + b'}')
    assert answer.status_int == 400 and ('nested' in answer.text) is refused


@pytest.mark.parametrize(('shape', 'path'), [
    (compute_shape, 'conflictingRequest'), (identity_shape, 'error'), (network_shape, 'NeutronError'),
    (image_shape, None)])
def test_errors_say_why_to_programs_too(shape: Any, path: str | None) -> None:
    """Beside the keys that each API's clients expect; the code of Compute's and Identity's is the status, a number."""
    error = Conflict('It is locked', code='server_locked', hint='unlock it')
    body = shape(409, error.message, error)
    inner = body[path] if path else body
    assert (inner['message'], inner['reason'], inner['retryable'], inner['hint']) == (
        'It is locked', 'server_locked', False, 'unlock it')
    later = shape(503, 'Later', Unavailable('Later'))
    assert (later if path is None else next(iter(later.values())))['retryable'] is True
    refused = shape(401, 'No', Unauthorized('No', code='token_revoked', hint='log in'))
    assert 'reason' not in str(refused) and 'log in' not in str(refused)


def test_what_may_be_sent_again_after_a_while_is_retryable() -> None:
    error = Conflict('Wait', code='idempotency_key_in_use', details={'retry_after': 1})
    assert compute_shape(409, 'Wait', error)['conflictingRequest']['retryable'] is True
