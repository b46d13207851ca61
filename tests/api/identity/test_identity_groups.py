"""Groups: their members have their roles, and lose them at once with the membership."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.identity.cloud import Cloud, password, project


class Site:
    """A user ``zoe`` without roles, a group, two projects below one another in a domain."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.domain = cloud.make('domains', 'domain', name='guests')['id']
        self.user = cloud.make('users', 'user', name='zoe', password='zoe', domain_id=self.domain)['id']
        self.group = cloud.make('groups', 'group', name='devs', domain_id=self.domain)['id']
        self.top = cloud.make('projects', 'project', name='top', domain_id=self.domain)['id']
        self.leaf = cloud.make('projects', 'project', name='leaf', parent_id=self.top)['id']
        self.roles = cloud.ids['roles']

    def send(self, method: str, path: str, status: int = 204, body: Any = None) -> Any:
        answer = self.cloud.send(method, f'/v3{path}', body, self.cloud.admin)
        assert answer.status_code == status, answer.text
        return answer.json if answer.body else None

    def join(self) -> None:
        self.send('PUT', f'/groups/{self.group}/users/{self.user}')

    def give(self, actor: str, target: str, role: str, *, inherited: bool = False, method: str = 'PUT',
             status: int = 204) -> None:
        path = f'{target}/{actor}/roles/{self.roles[role]}'
        self.send(method, f'/OS-INHERIT{path}/inherited_to_projects' if inherited else path, status)

    @property
    def members(self) -> str:
        return f'groups/{self.group}'

    @property
    def own(self) -> str:
        return f'users/{self.user}'

    def login(self, scope: dict[str, Any]) -> Any:
        return self.cloud.login(password('zoe', 'zoe', 'guests'), scope)

    def on(self, name: str) -> list[str]:
        """Return the names of the roles of a token for a project; none where there is no token."""
        answer = self.login(project(name, 'guests'))
        return [role['name'] for role in answer.json['token']['roles']] if answer.status_code == 201 else []

    def token(self, name: str) -> str:
        return self.cloud.token(password('zoe', 'zoe', 'guests'), project(name, 'guests'))


@pytest.fixture
def site(cloud: Cloud) -> Site:
    return Site(cloud)


def test_a_group_and_its_members(site: Site) -> None:
    shown = site.send('GET', f'/groups/{site.group}', 200)['group']
    assert shown == {'id': site.group, 'name': 'devs', 'domain_id': site.domain, 'description': '',
                     'links': {'self': f'http://127.0.0.1:5000/v3/groups/{site.group}'}}
    site.send('GET', f'/groups/{site.group}/users/{site.user}', 404)
    site.send('DELETE', f'/groups/{site.group}/users/{site.user}', 404)
    site.join()
    site.join()
    for method in ('GET', 'HEAD'):
        site.send(method, f'/groups/{site.group}/users/{site.user}')
    listed = site.send('GET', f'/groups/{site.group}/users', 200)
    assert [user['name'] for user in listed['users']] == ['zoe'] and 'password_hash' not in listed['users'][0]
    assert site.send('GET', f'/groups/{site.group}/users?name=nobody', 200)['users'] == []
    assert [group['id'] for group in site.send('GET', f'/users/{site.user}/groups', 200)['groups']] == [site.group]
    site.send('DELETE', f'/groups/{site.group}/users/{site.user}')
    assert site.send('GET', f'/users/{site.user}/groups', 200)['groups'] == []


def test_change_and_delete(site: Site) -> None:
    path = f'/groups/{site.group}'
    assert site.send('PATCH', path, 200, {'group': {'description': 'd', 'colour': 'red'}})['group']['colour'] == 'red'
    site.send('PATCH', path, 400, {'group': {'domain_id': 'default'}})
    site.cloud.make('groups', 'group', name='ops', domain_id=site.domain)
    site.send('PATCH', path, 409, {'group': {'name': 'ops'}})
    site.send('POST', '/groups', 409, {'group': {'name': 'ops', 'domain_id': site.domain}})
    site.cloud.make('groups', 'group', name='ops')  # in the default domain
    assert len(site.send('GET', '/groups?name=ops', 200)['groups']) == 2
    assert len(site.send('GET', f'/groups?domain_id={site.domain}&name=ops', 200)['groups']) == 1
    site.join()
    site.send('DELETE', path)
    site.send('GET', path, 404)
    assert site.send('GET', f'/users/{site.user}/groups', 200)['groups'] == []


@pytest.mark.parametrize('name', ['', ' ', 'x' * 65, 'a\x00'])
def test_names_that_are_refused(site: Site, name: str) -> None:
    for words, word in (('groups', 'group'), ('projects', 'project'), ('domains', 'domain')):
        site.send('POST', f'/{words}', 400, {word: {'name': name}})
    site.cloud.make('groups', 'group', name='x' * 64)
    site.cloud.make('users', 'user', name='x' * 255)
    site.send('POST', '/users', 400, {'user': {'name': 'x' * 256}})


def test_roles_of_a_group(site: Site) -> None:
    assert site.on('top') == []
    site.join()
    site.give(site.members, f'/projects/{site.top}', 'member')
    assert site.on('top') == ['member', 'reader'] and site.on('leaf') == []
    site.give(site.members, f'/projects/{site.top}', 'member', method='HEAD')
    listed = site.send('GET', f'/projects/{site.top}/{site.members}/roles', 200)['roles']
    assert [role['name'] for role in listed] == ['member']
    site.give(site.members, f'/domains/{site.domain}', 'reader')
    domain = site.login({'domain': {'id': site.domain}}).json['token']
    assert [role['name'] for role in domain['roles']] == ['reader']
    site.give(site.members, '/system', 'reader')
    assert site.login({'system': {'all': True}}).status_code == 201
    names = {'projects': ['top'], 'domains': ['guests'], 'system': [{'all': True}]}
    token = site.token('top')
    for words, expected in names.items():
        found = site.cloud.send('GET', f'/v3/auth/{words}', token=token).json[words]
        assert [each.get('name', each) for each in found] == expected
    projects = site.send('GET', f'/users/{site.user}/projects', 200)['projects']
    assert [each['name'] for each in projects] == ['top']


def test_inherited_roles(site: Site) -> None:
    site.give(site.own, f'/projects/{site.top}', 'member', inherited=True)
    assert site.on('top') == [] and site.on('leaf') == ['member', 'reader']
    site.give(site.own, f'/projects/{site.top}', 'member', method='GET', status=404)
    site.give(site.own, f'/projects/{site.top}', 'member', inherited=True, method='HEAD')
    listed = site.send('GET', f'/OS-INHERIT/projects/{site.top}/{site.own}/roles/inherited_to_projects', 200)
    assert [role['name'] for role in listed['roles']] == ['member']
    site.join()
    site.give(site.members, f'/domains/{site.domain}', 'service', inherited=True)
    assert site.on('top') == ['service'] and site.on('leaf') == ['member', 'reader', 'service']
    assert site.login({'domain': {'id': site.domain}}).status_code == 401
    projects = site.send('GET', f'/users/{site.user}/projects', 200)['projects']
    assert {each['name'] for each in projects} == {'top', 'leaf'}
    site.send('GET', f'/OS-INHERIT/projects/{site.top}/users/nobody/roles/inherited_to_projects', 404)


Act = Callable[[Site], None]
GIVE: dict[str, Act] = {
    'group': lambda site: site.give(site.members, f'/projects/{site.leaf}', 'member'),
    'group, inherited from a project': lambda site: site.give(site.members, f'/projects/{site.top}', 'member',
                                                              inherited=True),
    'group, inherited from a domain': lambda site: site.give(site.members, f'/domains/{site.domain}', 'member',
                                                             inherited=True),
    'user, inherited from a project': lambda site: site.give(site.own, f'/projects/{site.top}', 'member',
                                                             inherited=True),
    'user, inherited from a domain': lambda site: site.give(site.own, f'/domains/{site.domain}', 'member',
                                                            inherited=True),
}
TAKE: dict[str, Act] = {
    'group': lambda site: site.give(site.members, f'/projects/{site.leaf}', 'member', method='DELETE'),
    'group, inherited from a project': lambda site: site.give(
        site.members, f'/projects/{site.top}', 'member', inherited=True, method='DELETE'),
    'group, inherited from a domain': lambda site: site.give(
        site.members, f'/domains/{site.domain}', 'member', inherited=True, method='DELETE'),
    'user, inherited from a project': lambda site: site.give(
        site.own, f'/projects/{site.top}', 'member', inherited=True, method='DELETE'),
    'user, inherited from a domain': lambda site: site.give(
        site.own, f'/domains/{site.domain}', 'member', inherited=True, method='DELETE'),
}


@pytest.mark.parametrize('way', GIVE)
def test_taking_a_role_ends_the_tokens_that_had_it_from_there(site: Site, way: str) -> None:
    site.join()
    GIVE[way](site)
    token, other = site.token('leaf'), site.cloud.admin
    assert site.cloud.alive(token)
    TAKE[way](site)
    assert not site.cloud.alive(token) and site.cloud.alive(other)
    assert site.on('leaf') == []
    GIVE[way](site)
    assert not site.cloud.alive(token), 'a role that is given again revives nothing'


@pytest.mark.parametrize('way', [way for way in GIVE if way.startswith('group')])
@pytest.mark.parametrize('what', ['member', 'group'])
def test_leaving_a_group_ends_the_tokens_with_its_roles(site: Site, way: str, what: str) -> None:
    site.join()
    GIVE[way](site)
    other = site.cloud.make('projects', 'project', name='aside', domain_id=site.domain)['id']
    site.give(site.own, f'/projects/{other}', 'reader')
    token, own = site.token('leaf'), site.cloud.token(password('zoe', 'zoe', 'guests'))
    site.send('DELETE', f'/groups/{site.group}/users/{site.user}' if what == 'member' else f'/groups/{site.group}')
    assert not site.cloud.alive(token) and site.cloud.alive(own) and site.on('leaf') == []


def test_a_token_stands_while_what_it_stands_on_does(site: Site) -> None:
    """The same role twice: the token stands on the user's own, so the group may go."""
    site.join()
    site.give(site.own, f'/projects/{site.leaf}', 'member')
    site.give(site.members, f'/projects/{site.leaf}', 'member')
    token = site.token('leaf')
    site.send('DELETE', f'/groups/{site.group}')
    assert site.cloud.alive(token) and site.on('leaf') == ['member', 'reader']


def test_other_members_keep_their_tokens(site: Site) -> None:
    site.join()
    yan = site.cloud.make('users', 'user', name='yan', password='yan', domain_id=site.domain)['id']
    site.send('PUT', f'/groups/{site.group}/users/{yan}')
    site.give(site.members, f'/projects/{site.leaf}', 'member')
    token = site.cloud.token(password('yan', 'yan', 'guests'), project('leaf', 'guests'))
    site.send('DELETE', f'/groups/{site.group}/users/{site.user}')
    assert site.cloud.alive(token)


def test_what_goes_with_a_domain_a_project_and_a_role(site: Site) -> None:
    site.join()
    site.give(site.members, f'/domains/{site.domain}', 'member', inherited=True)
    site.give(site.members, f'/projects/{site.top}', 'reader', inherited=True)
    site.send('DELETE', f'/projects/{site.leaf}')
    site.send('DELETE', f'/projects/{site.top}')
    role = site.cloud.make('roles', 'role', name='extra')['id']
    site.send('PUT', f'/domains/{site.domain}/{site.members}/roles/{role}')
    site.send('DELETE', f'/roles/{role}')
    site.send('PATCH', f'/domains/{site.domain}', 200, {'domain': {'enabled': False}})
    site.send('DELETE', f'/domains/{site.domain}')
    site.send('GET', f'/groups/{site.group}', 404)
    assert len(site.send('GET', '/role_assignments', 200)['role_assignments']) == 3


def test_who_may(site: Site) -> None:
    site.join()
    site.give(site.members, f'/domains/{site.domain}', 'reader')
    site.give(site.members, f'/projects/{site.top}', 'member')
    cloud, plain = site.cloud, site.token('top')
    path = f'/v3/groups/{site.group}'
    assert cloud.send('GET', f'/v3/users/{site.user}/groups', token=plain).status_code == 200
    for method, where in (('GET', '/v3/groups'), ('GET', path), ('GET', f'{path}/users'), ('DELETE', path),
                          ('PUT', f'{path}/users/{site.user}'), ('DELETE', f'{path}/users/{site.user}'),
                          ('GET', f'/v3/projects/{site.top}/{site.members}/roles'),
                          ('PUT', f'/v3/projects/{site.top}/{site.members}/roles/{site.roles["admin"]}'),
                          ('PUT', f'/v3/OS-INHERIT/projects/{site.top}/{site.own}/roles/{site.roles["admin"]}'
                                  '/inherited_to_projects'),
                          ('PUT', f'/v3/system/{site.members}/roles/{site.roles["admin"]}')):
        assert cloud.send(method, where, token=plain).status_code == 403, (method, where)
        assert cloud.send(method, where).status_code == 401
    assert cloud.send('POST', '/v3/groups', {'group': {'name': 'x'}}, plain).status_code == 403
    reader = cloud.token(password('zoe', 'zoe', 'guests'), {'domain': {'id': site.domain}})
    cloud.make('groups', 'group', name='others')
    seen = cloud.send('GET', '/v3/groups', token=reader).json['groups']
    assert [group['name'] for group in seen] == ['devs']
    assert cloud.send('GET', f'{path}/users/{site.user}', token=reader).status_code == 204
    assert cloud.send('GET', f'/v3/projects/{site.top}/{site.members}/roles', token=reader).status_code == 200
    assert cloud.send('PUT', f'{path}/users/{site.user}', token=reader).status_code == 403
