"""EC2 keys, and tokens for signed requests."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any

import pytest

from tests.api.identity.cloud import SERVICE, Cloud, by_token, password, project
from tests.api.identity.test_identity_kept import login, robot


def sign(access: str, secret: str, at: float | None = None) -> dict[str, Any]:
    """Return a signed request of version 4 as an EC2 service passes it on."""
    date = time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(at))
    scope, body = f'{date[:8]}/RegionOne/ec2/aws4_request', hashlib.sha256(b'Action=DescribeInstances').hexdigest()
    canonical = f'POST\n/\n\nhost:ec2.example.org\nx-amz-date:{date}\n\nhost;x-amz-date\n{body}'
    text = f'AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}'
    key = f'AWS4{secret}'.encode()
    for part in scope.split('/'):
        key = hmac.digest(key, part.encode(), 'sha256')
    signature = hmac.digest(key, text.encode(), 'sha256').hex()
    return {'access': access, 'signature': signature, 'host': 'ec2.example.org', 'verb': 'POST', 'path': '/',
            'params': {'Action': 'DescribeInstances'}, 'body_hash': body, 'headers': {
                'Host': 'ec2.example.org', 'X-Amz-Date': date,
                'Authorization': f'AWS4-HMAC-SHA256 Credential={access}/{scope}, SignedHeaders=host;x-amz-date, '
                                 f'Signature={signature}'}}


class Keys:
    """Alice with an EC2 key, and the token of a service that passes signed requests on."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.user, self.project = cloud.member()
        self.token = login(cloud)
        self.service = cloud.token(password('compute', SERVICE), project('service'))
        self.path = f'/v3/users/{self.user}/credentials/OS-EC2'
        self.key = self.make(self.token)

    def make(self, token: str, status: int = 201, tenant_id: str | None = None) -> dict[str, Any]:
        answer = self.cloud.send('POST', self.path, {'tenant_id': tenant_id or self.project}, token)
        assert answer.status_code == status, answer.text
        return dict(answer.json['credential']) if status == 201 else {}

    def exchange(self, key: dict[str, Any] | None = None, word: str = 'credentials', **changes: Any) -> Any:
        signed = sign((key or self.key)['access'], (key or self.key)['secret'])
        return self.cloud.send('POST', '/v3/ec2tokens', {word: {**signed, **changes}}, self.service)


@pytest.fixture
def keys(cloud: Cloud) -> Keys:
    return Keys(cloud)


def test_make_list_show_delete(keys: Keys) -> None:
    key, cloud = keys.key, keys.cloud
    assert key == {'access': key['access'], 'secret': key['secret'], 'tenant_id': keys.project, 'user_id': keys.user,
                   'trust_id': None, 'links': {'self': f'http://127.0.0.1:5000{keys.path}/{key["access"]}'}}
    assert len(key['access']) == len(key['secret']) == 32
    assert cloud.send('GET', keys.path, token=keys.token).json['credentials'] == [key]
    one = f'{keys.path}/{key["access"]}'
    assert cloud.send('GET', one, token=keys.token).json['credential'] == key
    kept, = cloud.send('GET', '/v3/credentials?type=ec2', token=keys.token).json['credentials']
    assert json.loads(kept['blob'])['secret'] == key['secret'] and kept['project_id'] == keys.project
    assert cloud.send('DELETE', one, token=keys.token).status_code == 204
    assert cloud.send('GET', one, token=keys.token).status_code == 404
    assert cloud.send('GET', keys.path, token=keys.token).json['credentials'] == []
    keys.make(keys.token, 404, 'nothing')


def test_a_signed_request_gives_a_token_of_the_keys_project(keys: Keys) -> None:
    for word in ('credentials', 'credential', 'ec2Credentials'):
        answer = keys.exchange(word=word)
        assert answer.status_code == 200, answer.text
        token = answer.json['token']
        assert token['methods'] == ['ec2credential'] and token['project']['id'] == keys.project
        assert token['user']['id'] == keys.user and [role['name'] for role in token['roles']] == ['member', 'reader']
        assert keys.cloud.alive(answer.headers['X-Subject-Token'])


@pytest.mark.parametrize('changes', [{'signature': 'x'}, {'access': 'x'}, {'verb': 'GET'}, {'path': '/x'},
                                     {'headers': None}, {'body_hash': 'x'}, {'params': None, 'headers': {}}])
def test_what_does_not_fit_is_refused_in_one_way(keys: Keys, changes: dict[str, Any]) -> None:
    answer = keys.exchange(**changes)
    assert answer.status_code == 401
    assert answer.json['error']['message'] == 'The request you have made requires authentication.'


def test_malformed_requests(keys: Keys) -> None:
    for body in ({}, {'credentials': {}}, {'credentials': {'access': 'a'}}, {'credentials': []}):
        assert keys.cloud.send('POST', '/v3/ec2tokens', body, keys.service).status_code == 400, body
    old = sign(keys.key['access'], keys.key['secret'], time.time() - 1000)
    assert keys.cloud.send('POST', '/v3/ec2tokens', {'credentials': old}, keys.service).status_code == 401


def test_a_captured_request_is_worth_nothing_without_a_service(keys: Keys) -> None:
    signed = {'credentials': sign(keys.key['access'], keys.key['secret'])}
    assert keys.cloud.send('POST', '/v3/ec2tokens', signed).status_code == 401
    assert keys.cloud.send('POST', '/v3/ec2tokens', signed, keys.token).status_code == 403
    assert keys.cloud.send('POST', '/v3/ec2tokens', signed, keys.cloud.admin).status_code == 200


def test_a_token_from_a_key_stays_in_its_project_and_makes_nothing(keys: Keys) -> None:
    cloud, token = keys.cloud, keys.exchange().headers['X-Subject-Token']
    other = cloud.make('projects', 'project', name='other')['id']
    role = f'/v3/projects/{other}/users/{keys.user}/roles/{cloud.ids["roles"]["member"]}'
    assert cloud.send('PUT', role, token=cloud.admin).status_code == 204
    assert cloud.login(by_token(token), project('other')).status_code == 403
    assert cloud.login(by_token(token), 'unscoped').status_code == 403
    again = cloud.login(by_token(token), project('alice-project'))
    assert again.json['token']['methods'] == ['ec2credential', 'token']
    assert cloud.login(by_token(again.headers['X-Subject-Token']), project('other')).status_code == 403
    assert cloud.login(by_token(token)).json['token']['project']['id'] == keys.project
    keys.make(token, 403)
    robots = f'/v3/users/{keys.user}/application_credentials'
    assert cloud.send('POST', robots, {'application_credential': {'name': 'x'}}, token).status_code == 403
    assert cloud.send('DELETE', f'{keys.path}/{keys.key["access"]}', token=token).status_code == 403
    keys.make(keys.token, 201, other)
    assert len(cloud.send('GET', keys.path, token=token).json['credentials']) == 1
    assert len(cloud.send('GET', keys.path, token=keys.token).json['credentials']) == 2


@pytest.mark.parametrize('what', ['key', 'secret', 'role', 'user', 'project'])
def test_what_ends_tokens_and_keys(keys: Keys, what: str) -> None:
    cloud, token = keys.cloud, keys.exchange().headers['X-Subject-Token']
    child = cloud.token(by_token(token), project('alice-project'))
    kept, = cloud.send('GET', '/v3/credentials', token=keys.token).json['credentials']
    fresh = json.dumps({**json.loads(kept['blob']), 'secret': 'new'})
    role = f'/v3/projects/{keys.project}/users/{keys.user}/roles/{cloud.ids["roles"]["member"]}'
    method, path, body = {
        'key': ('DELETE', f'{keys.path}/{keys.key["access"]}', None), 'role': ('DELETE', role, None),
        'secret': ('PATCH', f'/v3/credentials/{kept["id"]}', {'credential': {'blob': fresh}}),
        'user': ('PATCH', f'/v3/users/{keys.user}', {'user': {'enabled': False}}),
        'project': ('PATCH', f'/v3/projects/{keys.project}', {'project': {'enabled': False}})}[what]
    assert cloud.send(method, path, body, cloud.admin).status_code in (200, 204)
    assert not cloud.alive(token) and not cloud.alive(child)
    assert keys.exchange().status_code == 401


def test_a_key_of_an_application_credential_has_its_rights(keys: Keys) -> None:
    cloud = keys.cloud
    keys.make(robot(cloud, keys.user, keys.token), 403)
    free = robot(cloud, keys.user, keys.token, name='free', unrestricted=True, roles=[{'name': 'reader'}])
    key = keys.make(free)
    answer = keys.exchange(key)
    token = answer.json['token']
    assert [role['name'] for role in token['roles']] == ['reader'] and token['application_credential']['name'] == 'free'
    other = cloud.make('projects', 'project', name='other')['id']
    keys.make(free, 403, other)
    made = f'/v3/users/{keys.user}/application_credentials/{token["application_credential"]["id"]}'
    assert cloud.send('DELETE', made, token=keys.token).status_code == 204
    assert not cloud.alive(answer.headers['X-Subject-Token']) and keys.exchange(key).status_code == 401


def test_a_token_from_a_key_sees_credentials_of_its_user_only(keys: Keys) -> None:
    """Also that of an administrator."""
    cloud = keys.cloud
    admin, project_id = cloud.ids['users']['admin'], cloud.ids['projects']['admin']
    bob, _ = cloud.member('bob')
    cert = {'credential': {'type': 'cert', 'blob': 'x', 'user_id': bob, 'project_id': project_id}}
    foreign = cloud.send('POST', '/v3/credentials', cert, cloud.admin).json['credential']['id']
    paths = {name: f'/v3/users/{user}/credentials/OS-EC2' for name, user in (('admin', admin), ('bob', bob))}
    mine, bobs = (cloud.send('POST', path, {'tenant_id': project_id}, cloud.admin).json['credential']
                  for path in paths.values())
    token = keys.exchange(mine).headers['X-Subject-Token']
    seen = cloud.send('GET', '/v3/credentials', token=token).json['credentials']
    assert [json.loads(each['blob'])['access'] for each in seen] == [mine['access']]
    assert cloud.send('GET', f'/v3/credentials?user_id={bob}', token=token).json['credentials'] == []
    assert cloud.send('GET', paths['admin'], token=token).json['credentials'] == [mine]
    assert cloud.send('GET', paths['bob'], token=token).json['credentials'] == []
    for path in (f'/v3/credentials/{foreign}', f'{paths["bob"]}/{bobs["access"]}'):
        assert cloud.send('GET', path, token=cloud.admin).status_code == 200
        assert cloud.send('GET', path, token=token).status_code == 404


def test_keys_are_for_projects_with_a_role(keys: Keys) -> None:
    cloud = keys.cloud
    other = cloud.make('projects', 'project', name='other')['id']
    keys.make(keys.token, 403, other)
    keys.make(cloud.admin, 201, other)
    role = f'/v3/projects/{other}/users/{keys.user}/roles/{cloud.ids["roles"]["member"]}'
    assert cloud.send('PUT', role, token=cloud.admin).status_code == 204
    keys.make(keys.token, 201, other)


def test_strangers(keys: Keys) -> None:
    cloud = keys.cloud
    bob, _ = cloud.member('bob')
    stranger, one = login(cloud, 'bob'), f'{keys.path}/{keys.key["access"]}'
    for method, path in (('GET', keys.path), ('GET', one), ('DELETE', one)):
        assert cloud.send(method, path, token=stranger).status_code == 403
    keys.make(stranger, 403)
    assert cloud.send('GET', one.replace(keys.user, bob), token=stranger).status_code == 404
    assert cloud.send('GET', one, token=cloud.admin).status_code == 200
