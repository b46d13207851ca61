"""Application credentials."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.identity.cloud import Cloud, by_token, password, project


@pytest.fixture
def alice(cloud: Cloud) -> str:
    """The id of a member."""
    return cloud.member()[0]


def _login(cloud: Cloud) -> str:
    return cloud.token(password('alice', 'alice'), project('alice-project'))


def _make(cloud: Cloud, user: str, token: str | None = None, **body: Any) -> Any:
    answer = cloud.send('POST', f'/v3/users/{user}/application_credentials',
                        {'application_credential': {'name': 'robot', **body}}, token or _login(cloud))
    return answer.json['application_credential'] if answer.status_code == 201 else answer


def _with(credential: dict[str, Any]) -> dict[str, Any]:
    return {'methods': ['application_credential'],
            'application_credential': {'id': credential['id'], 'secret': credential['secret']}}


def test_what_clients_send_and_get(cloud: Cloud, alice: str) -> None:
    made = _make(cloud, alice, roles=[], unrestricted=False, access_rules=None, expires_at=None, description=None,
                 secret=None)
    assert len(made['secret']) > 60 and made['unrestricted'] is False
    assert [role['name'] for role in made['roles']] == ['member', 'reader']
    path = f'/v3/users/{alice}/application_credentials'
    listed = cloud.send('GET', path, token=_login(cloud)).json['application_credentials']
    assert [item['id'] for item in listed] == [made['id']] and 'secret' not in listed[0]
    assert 'secret_hash' not in listed[0]
    shown = cloud.send('GET', f'{path}/{made["id"]}', token=_login(cloud)).json['application_credential']
    assert shown['name'] == 'robot' and 'secret' not in shown
    assert cloud.send('GET', f'{path}/robot', token=_login(cloud)).status_code == 404
    assert cloud.send('GET', f'{path}?name=robot', token=_login(cloud)).json['application_credentials'] == listed


def test_login_by_id_and_by_name(cloud: Cloud, alice: str) -> None:
    made = _make(cloud, alice, secret='s3cret', roles=[{'name': 'reader'}])
    token = cloud.login(_with(made)).json['token']
    assert token['methods'] == ['application_credential'] and token['project']['name'] == 'alice-project'
    assert [role['name'] for role in token['roles']] == ['reader']
    assert token['application_credential'] == {'id': made['id'], 'name': 'robot', 'restricted': True}
    for user in ({'id': alice}, {'name': 'alice', 'domain': {'id': 'default'}}):
        part = {'name': 'robot', 'user': user, 'secret': 's3cret'}
        assert cloud.login({'methods': ['application_credential'], 'application_credential': part}).status_code == 201
        wrong = {'methods': ['application_credential'], 'application_credential': {**part, 'secret': 'x'}}
        assert cloud.login(wrong).status_code == 401


def test_bound_to_its_project_and_roles(cloud: Cloud, alice: str) -> None:
    made = _make(cloud, alice, roles=[{'name': 'reader'}])
    assert cloud.login(_with(made), project('alice-project')).status_code == 403
    token = cloud.token(_with(made))
    assert cloud.login(by_token(token), 'unscoped').status_code == 403
    again = cloud.login(by_token(token), project('alice-project')).json['token']
    assert [role['name'] for role in again['roles']] == ['reader'] and 'application_credential' in again


def test_restricted_ones_do_not_multiply(cloud: Cloud, alice: str) -> None:
    restricted = cloud.token(_with(_make(cloud, alice)))
    assert _make(cloud, alice, restricted, name='second').status_code == 403
    free = cloud.token(_with(_make(cloud, alice, name='free', unrestricted=True)))
    assert _make(cloud, alice, free, name='third')['name'] == 'third'


def test_they_reach_those_of_their_project_only(cloud: Cloud, alice: str) -> None:
    other = cloud.make('projects', 'project', name='other')['id']
    role = f'/v3/projects/{other}/users/{alice}/roles/{cloud.ids["roles"]["member"]}'
    assert cloud.send('PUT', role, token=cloud.admin).status_code == 204
    foreign = _make(cloud, alice, cloud.token(password('alice', 'alice'), project('other')), name='foreign')
    free = _make(cloud, alice, name='free', unrestricted=True)
    token, path = cloud.token(_with(free)), f'/v3/users/{alice}/application_credentials'
    assert [each['id'] for each in cloud.send('GET', path, token=token).json['application_credentials']] == [free['id']]
    for method in ('GET', 'DELETE'):
        assert cloud.send(method, f'{path}/{foreign["id"]}', token=token).status_code == 404
    strong = cloud.token(_with(_make(cloud, cloud.ids['users']['admin'], cloud.admin, unrestricted=True)))
    assert cloud.send('GET', path, token=strong).json['application_credentials'] == []
    for method in ('GET', 'DELETE'):
        assert cloud.send(method, f'{path}/{free["id"]}', token=strong).status_code == 404
    assert cloud.send('DELETE', f'{path}/{free["id"]}', token=token).status_code == 204
    assert len(cloud.send('GET', path, token=_login(cloud)).json['application_credentials']) == 1


def test_deleting_ends_its_tokens_only(cloud: Cloud, alice: str) -> None:
    made = _make(cloud, alice)
    token, own = cloud.token(_with(made)), _login(cloud)
    path = f'/v3/users/{alice}/application_credentials/{made["id"]}'
    assert cloud.send('DELETE', path, token=own).status_code == 204
    assert not cloud.alive(token) and cloud.alive(own)
    assert cloud.login(_with(made)).status_code == 401


def test_role_lost(cloud: Cloud, alice: str) -> None:
    made = _make(cloud, alice)
    path = f'/v3/projects/{made["project_id"]}/users/{alice}/roles/{cloud.ids["roles"]["member"]}'
    assert cloud.send('DELETE', path, token=cloud.admin).status_code == 204
    assert cloud.login(_with(made)).status_code == 401


@pytest.mark.parametrize('body', [
    {'roles': [{'name': 'admin'}]}, {'expires_at': '2001-01-01T00:00:00'}, {'expires_at': 'soon'},
    {'expires_at': '0001-01-01T00:00:00+14:00'}, {'expires_at': '9999-12-31T23:59:59-14:00'}, {'name': 'x' * 256},
    {'access_rules': [{'path': '/v2.1/servers', 'method': 'GET', 'service': 'compute'}]}, {'name': ''}])
def test_bad_ones(cloud: Cloud, alice: str, body: dict[str, Any]) -> None:
    assert _make(cloud, alice, **body).status_code == 400


def test_conflict_and_strangers(cloud: Cloud, alice: str) -> None:
    made = _make(cloud, alice)
    assert _make(cloud, alice).status_code == 409
    bob, _ = cloud.member('bob')
    stranger = cloud.token(password('bob', 'bob'), project('bob-project'))
    path = f'/v3/users/{alice}/application_credentials'
    assert _make(cloud, alice, stranger, name='x').status_code == 403
    assert _make(cloud, alice, cloud.admin, name='x').status_code == 403
    assert cloud.send('GET', f'{path}/{made["id"]}', token=stranger).status_code == 403
    assert cloud.send('DELETE', f'{path}/{made["id"]}', token=stranger).status_code == 403
    assert cloud.send('GET', path.replace(alice, bob) + f'/{made["id"]}', token=stranger).status_code == 404


def test_token_ends_with_the_credential(cloud: Cloud, alice: str) -> None:
    from datetime import UTC, datetime, timedelta
    soon = datetime.now(UTC) + timedelta(seconds=600)
    made = _make(cloud, alice, expires_at=soon.strftime('%Y-%m-%dT%H:%M:%S'))
    expires = datetime.fromisoformat(cloud.login(_with(made)).json['token']['expires_at'])
    assert abs((expires - soon).total_seconds()) <= 1


def test_roles_are_those_the_user_has_now(cloud: Cloud, alice: str) -> None:
    """A role that was given after the login may be asked for; one that was taken away may not."""
    path = f'/v3/projects/{cloud.send("GET", "/v3/auth/projects", token=_login(cloud)).json["projects"][0]["id"]}'
    manager = f'{path}/users/{alice}/roles/{cloud.ids["roles"]["manager"]}'
    token = _login(cloud)
    assert cloud.send('PUT', manager, token=cloud.admin).status_code == 204
    assert [role['name'] for role in _make(cloud, alice, token)['roles']] == ['member', 'reader'], 'of the token'
    made = _make(cloud, alice, token, name='second', roles=[{'name': 'manager'}])
    assert [role['name'] for role in made['roles']] == ['manager']
    assert [role['name'] for role in cloud.login(_with(made)).json['token']['roles']] == ['manager', 'member', 'reader']
    narrow = _make(cloud, alice, token, name='narrow', roles=[{'name': 'reader'}], unrestricted=True)
    wider = _make(cloud, alice, cloud.token(_with(narrow)), name='wider', roles=[{'name': 'member'}])
    assert [role['name'] for role in wider['roles']] == ['member'], 'as Keystone: an unrestricted one may do that'


def test_roles_of_a_group_count(cloud: Cloud, alice: str) -> None:
    group = cloud.make('groups', 'group', name='devs')['id']
    project_id = cloud.make('projects', 'project', name='web')['id']
    for path in (f'/v3/groups/{group}/users/{alice}',
                 f'/v3/projects/{project_id}/groups/{group}/roles/{cloud.ids["roles"]["member"]}'):
        assert cloud.send('PUT', path, token=cloud.admin).status_code == 204
    made = _make(cloud, alice, cloud.token(password('alice', 'alice'), project('web')))
    token = cloud.token(_with(made))
    cloud.send('DELETE', f'/v3/groups/{group}/users/{alice}', token=cloud.admin)
    assert not cloud.alive(token) and cloud.login(_with(made)).status_code == 401


@pytest.mark.parametrize(('given', 'shown'), [
    ('2099-01-02T03:04:05.678901', '2099-01-02T03:04:05.678901'), ('2099-01-02T03:04:05', '2099-01-02T03:04:05.000000'),
    ('2099-01-02T03:04:05.000007Z', '2099-01-02T03:04:05.000007'),
    ('2099-01-02T05:04:05.5+02:00', '2099-01-02T03:04:05.500000')])
def test_expiry_keeps_microseconds(cloud: Cloud, alice: str, given: str, shown: str) -> None:
    made = _make(cloud, alice, expires_at=given)
    assert made['expires_at'] == shown and 'expires_micro' not in made
    path = f'/v3/users/{alice}/application_credentials/{made["id"]}'
    assert cloud.send('GET', path, token=_login(cloud)).json['application_credential']['expires_at'] == shown
