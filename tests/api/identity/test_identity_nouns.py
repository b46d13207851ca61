"""What the tables of YAML cannot say well: conflicts, cascades, pages, who sees what."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.identity.cloud import ADMIN, Cloud, password, project


@pytest.mark.parametrize(('words', 'word', 'body'), [
    ('domains', 'domain', {'name': 'twin'}), ('projects', 'project', {'name': 'twin'}),
    ('users', 'user', {'name': 'twin'}), ('roles', 'role', {'name': 'twin'}), ('regions', 'region', {'id': 'twin'})])
def test_twins_conflict(cloud: Cloud, words: str, word: str, body: dict[str, Any]) -> None:
    made = cloud.make(words, word, **body)
    answer = cloud.send('POST', f'/v3/{words}', {word: body}, cloud.admin)
    assert answer.status_code == 409 and 'twin' in answer.json['error']['message']
    if word != 'region':
        other = cloud.make(words, word, name='other')
        assert cloud.send('PATCH', f'/v3/{words}/{other["id"]}', {word: body}, cloud.admin).status_code == 409
    assert made['links']['self'].endswith(f'/v3/{words}/{made["id"]}')


@pytest.mark.parametrize('words', ['domains', 'projects', 'users', 'roles', 'services', 'endpoints', 'regions'])
def test_any_string_as_id_is_a_clean_miss(cloud: Cloud, words: str) -> None:
    token = cloud.admin
    for text in ('nothing', 'a b', '%C3%A9', '%00', 'x' * 300, "'; DROP TABLE"):
        answer = cloud.send('GET', f'/v3/{words}/{text}', token=token)
        assert answer.status_code == 404 and answer.json['error']['code'] == 404, text
    assert cloud.send('DELETE', f'/v3/{words}/nothing', token=token).status_code == 404


def test_names_of_any_script(cloud: Cloud) -> None:
    made = cloud.make('users', 'user', name='Zoë 猫 🐈', password='пароль')
    found = cloud.send('GET', '/v3/users?name=Zo%C3%AB%20%E7%8C%AB%20%F0%9F%90%88', token=cloud.admin).json['users']
    assert [item['id'] for item in found] == [made['id']]
    assert cloud.login(password('Zoë 猫 🐈', 'пароль')).status_code == 201


def test_pages(cloud: Cloud) -> None:
    for number in range(5):
        cloud.make('projects', 'project', name=f'p{number}')
    token, seen, path = cloud.admin, [], '/v3/projects?limit=3'
    while path:
        answer = cloud.send('GET', path, token=token).json
        seen += [item['id'] for item in answer['projects']]
        path = (answer['links']['next'] or '').removeprefix('http://127.0.0.1:5000')
    assert len(seen) == len(set(seen)) == 7
    assert cloud.send('GET', '/v3/projects?limit=0', token=token).status_code == 400


def test_what_clients_may_not_set(cloud: Cloud) -> None:
    made = cloud.make('users', 'user', name='eve', id='chosen', password_hash='x', links={}, email='e@x')
    assert made['id'] != 'chosen' and made['email'] == 'e@x'
    assert not {'password_hash', 'extra', 'password'} & made.keys()
    answer = cloud.send('PATCH', f'/v3/users/{made["id"]}', {'user': {'email': 'f@x', 'phone': 1}}, cloud.admin)
    assert answer.json['user']['email'] == 'f@x' and answer.json['user']['phone'] == 1
    assert cloud.send('PATCH', f'/v3/users/{made["id"]}', {'user': {'domain_id': 'x'}}, cloud.admin).status_code == 400


def test_projects_below_projects(cloud: Cloud) -> None:
    top = cloud.make('projects', 'project', name='top')
    assert top['parent_id'] == top['domain_id'] == 'default' and top['is_domain'] is False
    below = cloud.make('projects', 'project', name='below', parent_id=top['id'])
    assert below['parent_id'] == top['id'] and below['domain_id'] == 'default'
    found = cloud.send('GET', f'/v3/projects?parent_id={top["id"]}', token=cloud.admin).json['projects']
    assert [item['name'] for item in found] == ['below']
    tops = cloud.send('GET', '/v3/projects?parent_id=default', token=cloud.admin).json['projects']
    assert {item['name'] for item in tops} == {'admin', 'service', 'top'}
    assert cloud.send('DELETE', f'/v3/projects/{top["id"]}', token=cloud.admin).status_code == 403
    other = cloud.make('domains', 'domain', name='other')['id']
    answer = cloud.send('POST', '/v3/projects', {'project': {'name': 'x', 'domain_id': other, 'parent_id': top['id']}},
                        cloud.admin)
    assert answer.status_code == 400


def test_immutable(cloud: Cloud) -> None:
    made = cloud.make('projects', 'project', name='rock', options={'immutable': True})
    path = f'/v3/projects/{made["id"]}'
    assert cloud.send('PATCH', path, {'project': {'name': 'sand'}}, cloud.admin).status_code == 403
    assert cloud.send('DELETE', path, token=cloud.admin).status_code == 403
    free = {'project': {'options': {'immutable': None}}}
    assert cloud.send('PATCH', path, free, cloud.admin).json['project']['options'] == {}
    assert cloud.send('DELETE', path, token=cloud.admin).status_code == 204


def test_service_goes_with_its_endpoints_and_region_stays_while_used(cloud: Cloud) -> None:
    token = cloud.admin
    assert cloud.send('DELETE', '/v3/regions/RegionOne', token=token).status_code == 409
    service = cloud.send('GET', '/v3/services?type=compute', token=token).json['services'][0]['id']
    assert cloud.send('DELETE', f'/v3/services/{service}', token=token).status_code == 204
    left = cloud.send('GET', '/v3/endpoints', token=token).json['endpoints']
    assert left and service not in {item['service_id'] for item in left}


def test_endpoint_disabled(cloud: Cloud) -> None:
    token = cloud.admin
    for endpoint in cloud.send('GET', '/v3/endpoints', token=token).json['endpoints']:
        cloud.send('PATCH', f'/v3/endpoints/{endpoint["id"]}', {'endpoint': {'enabled': False}}, token)
    found = cloud.send('GET', '/v3/auth/catalog', token=token).json['catalog']
    assert found and all(item['endpoints'] == [] for item in found)


def test_assignments_and_filters(cloud: Cloud) -> None:
    user_id, project_id = cloud.member()
    token, path = cloud.admin, '/v3/role_assignments'

    def ask(query: str) -> list[dict[str, Any]]:
        answer = cloud.send('GET', f'{path}?{query}', token=token)
        return list(answer.json['role_assignments'])
    assert len(ask('')) == 4
    given = ask(f'user.id={user_id}&include_names=True')
    assert given[0]['user'] == {'id': user_id, 'name': 'alice', 'domain': {'id': 'default', 'name': 'Default'}}
    assert given[0]['scope']['project']['name'] == 'alice-project' and given[0]['role']['name'] == 'member'
    assert {item['role']['id'] for item in ask(f'scope.project.id={project_id}&effective')} == {
        cloud.ids['roles']['member'], cloud.ids['roles']['reader']}
    assert [item['scope'] for item in ask('scope.system=all')] == [{'system': {'all': True}}]
    reader = cloud.ids['roles']['reader']
    assert ask(f'role.id={reader}') == [] and len(ask(f'role.id={reader}&effective=true')) == 3
    assert ask('group.id=x') == [] and len(ask(f'user.id={user_id}&effective=0')) == 1


def test_implied_roles(cloud: Cloud) -> None:
    roles, token = cloud.ids['roles'], cloud.admin
    rules = cloud.send('GET', '/v3/role_inferences', token=token).json['role_inferences']
    assert {(rule['prior_role']['name'], rule['implies'][0]['name']) for rule in rules} == {
        ('admin', 'manager'), ('manager', 'member'), ('member', 'reader')}
    path = f'/v3/roles/{roles["reader"]}/implies/'
    assert cloud.send('PUT', path + roles['member'], token=token).status_code == 400, 'a circle'
    assert cloud.send('PUT', path + roles['admin'], token=token).status_code == 403
    assert cloud.send('GET', path + roles['service'], token=token).status_code == 404
    assert cloud.send('PUT', path + roles['service'], token=token).status_code == 201
    answer = cloud.login(password('admin', ADMIN), project('admin')).json['token']
    assert 'service' in {role['name'] for role in answer['roles']}
    token = cloud.admin
    assert cloud.send('DELETE', path + roles['service'], token=token).status_code == 204
    assert not cloud.alive(token), 'it had a role that it no longer has'


def test_members_see_themselves_only(cloud: Cloud) -> None:
    user_id, project_id = cloud.member()
    token = cloud.token(password('alice', 'alice'), project('alice-project'))

    def status(path: str, method: str = 'GET', body: Any = None) -> int:
        return int(cloud.send(method, f'/v3{path}', body, token).status_code)
    admin = cloud.ids['users']['admin']
    for path in (f'/users/{user_id}', f'/projects/{project_id}', f'/users/{user_id}/projects', '/domains/default',
                 '/auth/projects', '/regions', f'/users/{user_id}/application_credentials'):
        assert status(path) == 200, path
    for path in ('/users', '/projects', '/domains', '/roles', '/services', '/endpoints', '/role_assignments',
                 f'/users/{admin}', f'/users/{admin}/projects', f'/projects/{cloud.ids["projects"]["admin"]}',
                 f'/projects/{project_id}/users/{user_id}/roles'):
        assert status(path) == 403, path
    role = f'/projects/{project_id}/users/{user_id}/roles/{cloud.ids["roles"]["admin"]}'
    assert status(role, 'PUT') == 403
    assert status(f'/users/{user_id}', 'PATCH', {'user': {'enabled': True}}) == 403
    assert status('/users', 'POST', {'user': {'name': 'x'}}) == 403
    assert cloud.send('GET', f'/v3/users/{user_id}').status_code == 401


def test_readers_of_a_domain_and_of_the_system(cloud: Cloud) -> None:
    domain = cloud.make('domains', 'domain', name='guests')['id']
    inside = cloud.make('users', 'user', name='in', password='in', domain_id=domain)['id']
    reader = cloud.ids['roles']['reader']
    path = f'/v3/domains/{domain}/users/{inside}/roles/{reader}'
    assert cloud.send('PUT', path, token=cloud.admin).status_code == 204
    token = cloud.token(password('in', 'in', 'guests'), {'domain': {'id': domain}})
    assert [item['name'] for item in cloud.send('GET', '/v3/users', token=token).json['users']] == ['in']
    assert [item['name'] for item in cloud.send('GET', '/v3/domains', token=token).json['domains']] == ['guests']
    assert cloud.send('GET', '/v3/users?domain_id=default', token=token).json['users'][0]['name'] == 'in'
    assert cloud.send('GET', f'/v3/users/{cloud.ids["users"]["admin"]}', token=token).status_code == 403
    assert cloud.send('POST', '/v3/users', {'user': {'name': 'x'}}, token).status_code == 403
    assert cloud.send('PUT', f'/v3/system/users/{inside}/roles/{reader}', token=cloud.admin).status_code == 204
    token = cloud.token(password('in', 'in', 'guests'), {'system': {'all': True}})
    assert len(cloud.send('GET', '/v3/users', token=token).json['users']) == 3
    assert cloud.send('DELETE', f'/v3/users/{inside}', token=token).status_code == 403


def test_own_password(cloud: Cloud) -> None:
    user_id, _ = cloud.member()
    path = f'/v3/users/{user_id}/password'

    def change(old: str, new: str) -> int:
        return int(cloud.send('POST', path, {'user': {'original_password': old, 'password': new}}).status_code)
    assert change('wrong', 'new') == 401 and change('alice', 'new') == 204 and change('alice', 'x') == 401
    assert cloud.login(password('alice', 'new')).status_code == 201
    locked = {'user': {'options': {'lock_password': True}}}
    assert cloud.send('PATCH', f'/v3/users/{user_id}', locked, cloud.admin).status_code == 200
    assert change('new', 'newer') == 403
    nobody = cloud.send('POST', '/v3/users/nobody/password', {'user': {'original_password': 'a', 'password': 'b'}})
    assert nobody.status_code == 401


def test_users_without_password_or_disabled(cloud: Cloud) -> None:
    cloud.make('users', 'user', name='ghost')
    cloud.make('users', 'user', name='off', password='off', enabled=False)
    assert cloud.login(password('ghost', '')).status_code == 401
    assert cloud.login(password('off', 'off')).status_code == 401


@pytest.mark.parametrize('name', ['x,admin', ' admin', 'admin ', 'a\tb', 'a\u00a0b', 'a\r\nX-Roles: admin', ','])
def test_names_of_roles_that_would_be_read_as_others(cloud: Cloud, name: str) -> None:
    answer = cloud.send('POST', '/v3/roles', {'role': {'name': name}}, cloud.admin)
    assert answer.status_code == 400 and 'name' in answer.json['error']['message']
    made = cloud.make('roles', 'role', name='auditor (read only)')
    answer = cloud.send('PATCH', f'/v3/roles/{made["id"]}', {'role': {'name': name}}, cloud.admin)
    assert answer.status_code == 400


def test_roles_that_differ_in_case_are_one(cloud: Cloud) -> None:
    """Policies compare without regard to case: the role ``Admin`` would make administrators."""
    assert cloud.send('POST', '/v3/roles', {'role': {'name': 'ADMIN'}}, cloud.admin).status_code == 409
    made = cloud.make('roles', 'role', name='auditor')
    path = f'/v3/roles/{made["id"]}'
    assert cloud.send('PATCH', path, {'role': {'name': 'Member'}}, cloud.admin).status_code == 409
    assert cloud.send('PATCH', path, {'role': {'name': 'Auditor'}}, cloud.admin).json['role']['name'] == 'Auditor'


def test_the_storage_token_is_used_as_it_was_checked(cloud: Cloud) -> None:
    """Two routes look into the caller's token once more."""
    user_id, _ = cloud.member()
    token = cloud.token(password('alice', 'alice'), project('alice-project'))
    assert cloud.send('GET', '/v3/auth/catalog', X_Storage_Token=token).status_code == 200
    body = {'application_credential': {'name': 'robot'}}
    path = f'/v3/users/{user_id}/application_credentials'
    made = cloud.send('POST', path, body, X_Storage_Token=token)
    assert made.status_code == 201, made.text
    one = f'{path}/{made.json["application_credential"]["id"]}'
    assert cloud.send('DELETE', one, X_Storage_Token=token).status_code == 204
    assert cloud.send('GET', '/v3/auth/catalog', X_Storage_Token='nonsense').status_code == 401
