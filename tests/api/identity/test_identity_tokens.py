"""Getting tokens: every method, every scope, and every way to be refused."""

from __future__ import annotations

import json
import pathlib
import time
import types
from typing import Any

import pytest

from tests.api.identity.cloud import ADMIN, SERVICE, Cloud, by_token, password, project

DEFAULT = {'name': 'Default'}


def test_token_document(cloud: Cloud) -> None:
    answer = cloud.login(password('admin', ADMIN), project('admin'))
    token = answer.json['token']
    assert answer.status_code == 201
    assert len(answer.headers['X-Subject-Token']) < 1200
    assert token['methods'] == ['password']
    assert token['user'] == {'id': cloud.ids['users']['admin'], 'name': 'admin', 'password_expires_at': None,
                             'domain': {'id': 'default', 'name': 'Default'}}
    assert token['project'] == {'id': cloud.ids['projects']['admin'], 'name': 'admin',
                                'domain': {'id': 'default', 'name': 'Default'}}
    assert [role['name'] for role in token['roles']] == ['admin', 'manager', 'member', 'reader']
    assert len(token['audit_ids']) == 1
    assert token['expires_at'].endswith('.000000Z') and token['issued_at'] < token['expires_at']
    urls = {entry['type']: entry['endpoints'][0]['url'] for entry in token['catalog']}
    assert urls['volumev3'] == f'http://127.0.0.1:8776/v3/{cloud.ids["projects"]["admin"]}'
    assert {'name', 'type', 'id', 'endpoints'} <= token['catalog'][0].keys()


def test_nocatalog(cloud: Cloud) -> None:
    answer = cloud.send('POST', '/v3/auth/tokens?nocatalog', {
        'auth': {'identity': password('admin', ADMIN), 'scope': project('admin')}})
    assert 'catalog' not in answer.json['token']


def users(cloud: Cloud) -> list[dict[str, Any]]:
    user_id = cloud.ids['users']['admin']
    return [{'id': user_id}, {'id': user_id, 'domain': {'id': 'default'}}, {'name': 'admin', 'domain': DEFAULT},
            {'name': 'admin', 'domain': {'id': 'default'}}]


def test_every_way_to_name_a_user_and_a_project(cloud: Cloud) -> None:
    project_id = cloud.ids['projects']['admin']
    scopes = [{'id': project_id}, {'name': 'admin', 'domain': DEFAULT}, {'name': 'admin', 'domain': {'id': 'default'}},
              {'id': project_id, 'domain': {'id': 'default'}}]
    for user, named in zip(users(cloud), scopes, strict=True):
        answer = cloud.login({'methods': ['password'], 'password': {'user': {**user, 'password': ADMIN}}},
                             {'project': named})
        assert answer.json['token']['project']['id'] == project_id


def test_system_scope(cloud: Cloud) -> None:
    token = cloud.login(password('admin', ADMIN), {'system': {'all': True}}).json['token']
    assert token['system'] == {'all': True} and 'project' not in token
    assert [role['name'] for role in token['roles']][0] == 'admin'
    assert [item for item in token['catalog'] if item['type'] == 'volumev3'][0]['endpoints'] == []


def test_domain_scope(cloud: Cloud) -> None:
    assert cloud.login(password('admin', ADMIN), {'domain': DEFAULT}).status_code == 401
    path = f'/v3/domains/default/users/{cloud.ids["users"]["admin"]}/roles/{cloud.ids["roles"]["reader"]}'
    assert cloud.send('PUT', path, token=cloud.admin).status_code == 204
    token = cloud.login(password('admin', ADMIN), {'domain': DEFAULT}).json['token']
    assert token['domain'] == {'id': 'default', 'name': 'Default'}
    assert [role['name'] for role in token['roles']] == ['reader']


@pytest.mark.parametrize('scope', [None, 'unscoped', {'unscoped': {}}])
def test_unscoped(cloud: Cloud, scope: Any) -> None:
    answer = cloud.login(password('admin', ADMIN), scope)
    assert not {'project', 'roles', 'catalog', 'system', 'domain'} & answer.json['token'].keys()
    token = answer.headers['X-Subject-Token']
    projects = cloud.send('GET', '/v3/auth/projects', token=token).json['projects']
    assert [item['name'] for item in projects] == ['admin']
    assert cloud.send('GET', '/v3/users', token=token).status_code == 403
    assert cloud.send('GET', '/v3/auth/system', token=token).json['system'] == [{'all': True}]
    assert cloud.send('GET', '/v3/auth/domains', token=token).json['domains'] == []


def test_default_project_is_the_scope_of_who_names_none(cloud: Cloud) -> None:
    user_id, project_id = cloud.member()
    body = {'user': {'default_project_id': project_id}}
    assert cloud.send('PATCH', f'/v3/users/{user_id}', body, cloud.admin).status_code == 200
    assert cloud.login(password('alice', 'alice')).json['token']['project']['id'] == project_id
    assert 'project' not in cloud.login(password('alice', 'alice'), 'unscoped').json['token']
    cloud.send('PATCH', f'/v3/projects/{project_id}', {'project': {'enabled': False}}, cloud.admin)
    assert 'project' not in cloud.login(password('alice', 'alice')).json['token']


def test_by_token(cloud: Cloud) -> None:
    first = cloud.login(password('admin', ADMIN))
    parent = first.json['token']
    child = cloud.login(by_token(first.headers['X-Subject-Token']), project('admin')).json['token']
    assert child['methods'] == ['password', 'token']
    assert child['audit_ids'][1] == parent['audit_ids'][0] and child['expires_at'] == parent['expires_at']
    assert child['project']['name'] == 'admin'


@pytest.mark.parametrize('identity', [
    password('admin', 'wrong'), password('nobody', ADMIN), password('admin', ADMIN, 'Elsewhere'),
    {'methods': ['password'], 'password': {'user': {'id': 'nobody', 'password': ADMIN}}},
    {'methods': ['application_credential'], 'application_credential': {'id': 'nothing', 'secret': 'x'}},
    {'methods': ['application_credential'],
     'application_credential': {'name': 'nothing', 'secret': 'x', 'user': {'name': 'admin', 'domain': DEFAULT}}},
])
def test_refused_without_saying_why(cloud: Cloud, identity: dict[str, Any]) -> None:
    answer = cloud.login(identity, project('admin'))
    assert answer.status_code == 401
    assert answer.json == {'error': {'code': 401, 'title': 'Unauthorized',
                                     'message': 'The request you have made requires authentication.'}}
    assert 'WWW-Authenticate' in answer.headers


@pytest.mark.parametrize('scope', [
    project('nothing'), project('admin', 'Elsewhere'), {'project': {'id': 'nothing'}}, project('service'),
    {'domain': {'id': 'nothing'}}])
def test_no_such_scope_or_no_role_on_it(cloud: Cloud, scope: dict[str, Any]) -> None:
    assert cloud.login(password('admin', ADMIN), scope).status_code == 401


def test_other_methods_and_forged_tokens(cloud: Cloud) -> None:
    assert cloud.login({'methods': ['totp'], 'totp': {}}).status_code == 401
    assert cloud.login({'methods': ['password']}).status_code == 401
    good = cloud.admin
    for token in ('x', 'a.b.c', good[:-4] + 'AAAA', 'é' * 10, 'x' * 8000):
        assert cloud.login(by_token(token)).status_code == 401
        assert cloud.send('GET', '/v3/users', token=token.encode('ascii', 'replace').decode()).status_code == 401


def test_methods_of_two_users(cloud: Cloud) -> None:
    identity = {**password('compute', SERVICE), **by_token(cloud.admin), 'methods': ['password', 'token']}
    assert cloud.login(identity).status_code == 401


@pytest.mark.parametrize('body', [
    {}, {'auth': {}}, {'auth': {'identity': {}}}, {'auth': {'identity': {'methods': []}}},
    {'auth': {'identity': {'methods': ['password'], 'password': {'user': {'name': 'admin', 'password': 'hush'}}}}},
    {'auth': {'identity': {'methods': ['password'], 'password': {'user': {'id': 5, 'password': 'hush'}}}}},
    {'auth': {'identity': {'methods': 'password', 'password': {'user': {'id': 'a', 'password': 'hush'}}}}},
    {'auth': {'identity': {'methods': ['password'], 'password': {'user': {'id': 'a', 'password': ['hush']}}}}},
    {'auth': {'identity': {'methods': ['token'], 'token': {'id': 'hush', 'x': 1}}, 'scope': {'planet': 1}}},
])
def test_malformed_bodies_and_no_secret_in_the_answer(cloud: Cloud, body: dict[str, Any]) -> None:
    answer = cloud.send('POST', '/v3/auth/tokens', body)
    assert answer.status_code == 400 and answer.json['error']['title'] == 'Bad Request'
    assert 'hush' not in answer.text


def test_malformed_json(cloud: Cloud) -> None:
    import webob
    request = webob.Request.blank('/v3/auth/tokens', method='POST', body=b'{"auth":', content_type='application/json')
    assert request.get_response(cloud.wsgi).status_code == 400


def test_lock_out(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = Cloud(tmp_path, lockout_failure_attempts=3, lockout_duration=300)
    cloud.member()
    for _ in range(2):
        assert cloud.login(password('alice', 'wrong')).status_code == 401
    assert cloud.login(password('alice', 'alice')).status_code == 201, 'a good password forgets the bad ones'
    for _ in range(3):
        cloud.login(password('alice', 'wrong'))
    assert cloud.login(password('alice', 'alice')).status_code == 401
    later = time.time() + 301
    monkeypatch.setattr('compute.builtin.identity.db.attempts.time', types.SimpleNamespace(time=lambda: later))
    assert cloud.login(password('alice', 'alice')).status_code == 201


def test_service_users_cannot_be_locked_out(tmp_path: pathlib.Path) -> None:
    cloud = Cloud(tmp_path, lockout_failure_attempts=1)
    assert cloud.login(password('compute', 'wrong')).status_code == 401
    assert cloud.login(password('compute', SERVICE)).status_code == 201


def test_an_administrator_unlocks_with_a_new_password(tmp_path: pathlib.Path) -> None:
    cloud = Cloud(tmp_path, lockout_failure_attempts=1)
    user_id, _ = cloud.member()
    cloud.login(password('alice', 'wrong'))
    assert cloud.login(password('alice', 'alice')).status_code == 401
    cloud.send('PATCH', f'/v3/users/{user_id}', {'user': {'password': 'fresh'}}, cloud.admin)
    assert cloud.login(password('alice', 'fresh')).status_code == 201


def test_validation_by_others(cloud: Cloud) -> None:
    cloud.member()
    subject = cloud.token(password('alice', 'alice'), project('alice-project'))
    service = cloud.token(password('compute', SERVICE), project('service'))
    stranger = cloud.token(password('admin', ADMIN))
    answer = cloud.send('GET', '/v3/auth/tokens', token=service, X_Subject_Token=subject)
    assert answer.json['token']['user']['name'] == 'alice' and 'catalog' in answer.json['token']
    assert answer.headers['X-Subject-Token'] == subject
    assert cloud.send('HEAD', '/v3/auth/tokens', token=service, X_Subject_Token=subject).status_code == 200
    assert cloud.send('GET', '/v3/auth/tokens', token=subject, X_Subject_Token=subject).status_code == 200
    assert cloud.send('GET', '/v3/auth/tokens', token=stranger, X_Subject_Token=subject).status_code == 403
    assert cloud.send('GET', '/v3/auth/tokens', token=service, X_Subject_Token='nonsense').status_code == 404
    assert cloud.send('GET', '/v3/auth/tokens', token=service).status_code == 400
    assert cloud.send('GET', '/v3/auth/tokens', X_Subject_Token=subject).status_code == 401


def test_expired_token(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud.member()
    subject = cloud.token(password('alice', 'alice'), project('alice-project'))
    real = time.time
    monkeypatch.setattr(time, 'time', lambda: real() + 14401)
    assert not cloud.alive(subject)
    service = cloud.token(password('compute', SERVICE), project('service'))
    assert cloud.send('GET', '/v3/auth/tokens', token=service, X_Subject_Token=subject).status_code == 404
    late = cloud.send('GET', '/v3/auth/tokens?allow_expired=1', token=service, X_Subject_Token=subject)
    assert late.json['token']['user']['name'] == 'alice'
    monkeypatch.setattr(time, 'time', lambda: real() + 14401 + 172800)
    service = cloud.token(password('compute', SERVICE), project('service'))
    assert cloud.send('GET', '/v3/auth/tokens?allow_expired=1', token=service,
                      X_Subject_Token=subject).status_code == 404


def test_own_catalog(cloud: Cloud) -> None:
    answer = cloud.send('GET', '/v3/auth/catalog', token=cloud.admin)
    assert {item['type'] for item in answer.json['catalog']} == {'identity', 'compute', 'volumev3'}
    assert cloud.send('GET', '/v3/auth/catalog', token=cloud.token(password('admin', ADMIN))).status_code == 401


def test_public_keys_hold_nothing_private(cloud: Cloud) -> None:
    keys = cloud.send('GET', '/v3/auth/signing-keys').json['keys']
    assert len(keys) == 2 and all(set(key) == {'kty', 'crv', 'alg', 'use', 'kid', 'x'} for key in keys)


def test_rotation_keeps_tokens_alive(cloud: Cloud) -> None:
    old = cloud.admin
    for count in (3, 4):
        cloud.daemon.app.keys.rotate()
        assert cloud.alive(old) and cloud.alive(cloud.admin)
        assert len(cloud.send('GET', '/v3/auth/signing-keys').json['keys']) == count


def test_identity_headers_of_a_client_are_not_believed(cloud: Cloud) -> None:
    answer = cloud.send('GET', '/v3/users', X_Identity_Status='Confirmed', X_Roles='admin', X_User_Id='me')
    assert answer.status_code == 401


def test_nothing_secret_is_logged(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level('DEBUG', logger='compute')
    token = cloud.admin
    cloud.send('GET', '/v3/auth/tokens', token=token, X_Subject_Token=token)
    cloud.login(password('admin', 'very-wrong-password'))
    cloud.send('POST', '/v3/auth/tokens', {'auth': {'identity': {'methods': 3, 'password': ADMIN}}})
    for secret in (token, ADMIN, 'very-wrong-password'):
        assert secret not in caplog.text
    assert json.dumps(cloud.ids)  # what bootstrap returns is for people and files
