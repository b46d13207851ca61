"""Roles of a domain: given inside it only, never in a token, there to imply others."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from tests.api.identity.cloud import Cloud
from tests.api.identity.test_identity_groups import Site


@pytest.fixture
def ruled(cloud: Cloud) -> tuple[Site, str]:
    """A site, and a role of its domain that implies member."""
    made = Site(cloud)
    role = cloud.make('roles', 'role', name='builder', domain_id=made.domain)['id']
    made.send('PUT', f'/roles/{role}/implies/{made.roles["member"]}', 201)
    return made, role


def test_they_are_listed_by_domain(ruled: tuple[Site, str]) -> None:
    site, role = ruled
    assert site.send('GET', f'/roles/{role}', 200)['role']['domain_id'] == site.domain
    assert role not in {each['id'] for each in site.send('GET', '/roles', 200)['roles']}
    assert [each['id'] for each in site.send('GET', f'/roles?domain_id={site.domain}', 200)['roles']] == [role]
    assert site.send('GET', '/roles?domain_id=default', 200)['roles'] == []
    assert site.send('GET', '/roles?name=member', 200)['roles'][0]['domain_id'] is None
    site.send('PATCH', f'/roles/{role}', 400, {'role': {'domain_id': 'default'}})
    site.send('PATCH', f'/roles/{role}', 200, {'role': {'domain_id': site.domain, 'description': 'd'}})
    site.send('POST', '/roles', 404, {'role': {'name': 'x', 'domain_id': 'nothing'}})


@pytest.mark.parametrize('inherited', [False, True])
def test_a_token_has_what_they_imply(ruled: tuple[Site, str], inherited: bool) -> None:
    site, role = ruled
    target = f'/domains/{site.domain}' if inherited else f'/projects/{site.top}'
    path = f'{target}/{site.own}/roles/{role}'
    path = f'/OS-INHERIT{path}/inherited_to_projects' if inherited else path
    site.send('PUT', path)
    assert site.on('top') == ['member', 'reader']
    token = site.token('top')
    query = f'/role_assignments?user.id={site.user}&scope.project.id={site.top}&effective&include_names'
    found = site.send('GET', query, 200)['role_assignments']
    assert {each['role']['name'] for each in found} == {'member', 'reader'}
    given, = site.send('GET', f'/role_assignments?user.id={site.user}&include_names', 200)['role_assignments']
    assert given['role'] == {'id': role, 'name': 'builder', 'domain': {'id': site.domain, 'name': 'guests'}}
    site.send('DELETE', path)
    assert not site.cloud.alive(token) and site.on('top') == []


def test_one_that_implies_nothing_gives_no_token(ruled: tuple[Site, str]) -> None:
    site, role = ruled
    site.send('PUT', f'/projects/{site.top}/{site.own}/roles/{role}')
    token = site.token('top')
    site.send('DELETE', f'/roles/{role}/implies/{site.roles["member"]}')
    assert not site.cloud.alive(token) and site.on('top') == []


def test_a_deleted_one_gives_no_rights_any_more(ruled: tuple[Site, str]) -> None:
    """Not the direct ones (member) and not those that these imply (reader); no token names the role itself."""
    site, role = ruled
    site.send('PUT', f'/projects/{site.top}/{site.own}/roles/{role}')
    token = site.token('top')
    site.send('DELETE', f'/roles/{role}')
    assert not site.cloud.alive(token) and site.on('top') == []


def test_they_stay_in_their_domain(ruled: tuple[Site, str]) -> None:
    site, role = ruled
    other = site.cloud.ids['projects']['admin']
    for target in (f'/projects/{other}', '/domains/default', '/system'):
        site.send('PUT', f'{target}/{site.own}/roles/{role}', 403)
    foreign = site.cloud.make('roles', 'role', name='foreign', domain_id='default')['id']
    for prior in (role, site.roles['member']):
        site.send('PUT', f'/roles/{prior}/implies/{foreign}', 403)
    mine = site.cloud.make('roles', 'role', name='mine', domain_id=site.domain)['id']
    site.send('PUT', f'/roles/{mine}/implies/{role}', 201)


def test_they_go_with_their_domain(ruled: tuple[Site, str]) -> None:
    site, role = ruled
    site.send('PUT', f'/projects/{site.top}/{site.own}/roles/{role}')
    body: dict[str, Any] = {'domain': {'enabled': False}}
    site.send('PATCH', f'/domains/{site.domain}', 200, body)
    site.send('DELETE', f'/domains/{site.domain}')
    site.send('GET', f'/roles/{role}', 404)


def test_names_are_unique_in_their_domain(ruled: tuple[Site, str]) -> None:
    """A role of a domain may have the name of a global one, or of one of another domain."""
    site, role = ruled
    other = site.cloud.make('roles', 'role', name='Builder', domain_id='default')['id']
    twin = site.cloud.make('roles', 'role', name='member', domain_id=site.domain)['id']
    site.cloud.make('roles', 'role', name='builder')
    for body in ({'name': 'builder'}, {'name': 'Member', 'domain_id': None},
                 {'name': 'BUILDER', 'domain_id': site.domain}, {'name': 'member', 'domain_id': site.domain}):
        site.send('POST', '/roles', 409, {'role': body})
    site.send('PATCH', f'/roles/{twin}', 409, {'role': {'name': 'bUILDER'}})
    site.send('PATCH', f'/roles/{twin}', 200, {'role': {'name': 'reader', 'description': 'd'}})
    site.send('PATCH', f'/roles/{twin}', 200, {'role': {'name': 'Reader'}})
    site.send('PATCH', f'/roles/{twin}', 200, {'role': {'description': 'e'}})
    site.send('POST', '/roles', 201, {'role': {'name': 'member', 'domain_id': site.domain}})
    site.send('DELETE', f'/roles/{role}')
    shown = site.send('POST', '/roles', 201, {'role': {'name': 'BUILDER', 'domain_id': site.domain}})['role']
    assert 'name_key' not in shown and shown['name'] == 'BUILDER'
    assert [each['id'] for each in site.send('GET', '/roles?domain_id=default&name=Builder', 200)['roles']] == [other]


@pytest.mark.parametrize('name', ['admin', 'member'])
def test_a_name_gives_no_rights(cloud: Cloud, name: str) -> None:
    """Neither in tokens, nor to who asks for a role by name, nor when identity is bootstrapped again."""
    first = cloud.bootstrap()
    site = Site(cloud)
    twin = cloud.make('roles', 'role', name=name, domain_id=site.domain)['id']
    site.send('PUT', f'/projects/{site.top}/{site.own}/roles/{twin}')
    assert site.on('top') == []
    site.send('PUT', f'/projects/{site.top}/{site.own}/roles/{site.roles["reader"]}')
    assert site.on('top') == ['reader']
    path = f'/v3/users/{site.user}/application_credentials'
    for role in ({'name': name}, {'name': 'reader', 'domain_id': site.domain}, {'id': twin}):
        answer = cloud.send('POST', path, {'application_credential': {'name': 'x', 'roles': [role]}}, site.token('top'))
        assert answer.status_code == 400, role
    again = cloud.bootstrap()
    assert again['roles'] == first['roles'] and twin not in again['roles'].values()


def test_lists_of_grants_and_inferences_are_cut_and_say_so(ruled: tuple[Site, str]) -> None:
    site, role = ruled
    grants = f'/projects/{site.top}/{site.own}/roles'
    for name in ('manager', 'member', 'reader'):
        site.send('PUT', f'{grants}/{site.roles[name]}')
        site.send('PUT', f'/OS-INHERIT{grants}/{site.roles[name]}/inherited_to_projects')
    for name in ('manager', 'reader'):
        site.send('PUT', f'/roles/{role}/implies/{site.roles[name]}', 201)
    inherited, implied = f'/OS-INHERIT{grants}/inherited_to_projects', f'/roles/{role}/implies'

    def lists() -> list[tuple[int, Any]]:
        answers = [site.send('GET', path, 200) for path in (grants, inherited, implied, '/role_inferences')]
        return [(len(answers[0]['roles']), answers[0].get('truncated')),
                (len(answers[1]['roles']), answers[1].get('truncated')),
                (len(answers[2]['role_inference']['implies']), answers[2].get('truncated')),
                (sum(len(each['implies']) for each in answers[3]['role_inferences']), answers[3].get('truncated'))]
    assert lists() == [(3, None), (3, None), (3, None), (6, None)]
    for limit, cut in ((6, None), (3, None), (2, True)):
        site.cloud.conf.set_override('list_limit', limit, 'identity')
        assert lists() == [(min(3, limit), cut)] * 3 + [(limit, None if limit == 6 else True)], limit
    assert site.on('top') == ['manager', 'member', 'reader']


def test_no_query_of_roles_reads_them_all(ruled: tuple[Site, str]) -> None:
    """Each statement that may find many rows has a limit, or names the rows that it wants."""
    site, role = ruled
    site.send('PUT', f'/projects/{site.top}/{site.own}/roles/{role}')
    said: list[str] = []

    def keep(connection: Any, cursor: Any, statement: str, *more: Any) -> None:
        said.append(' '.join(statement.split()))
    engines = {site.cloud.daemon.app.database.engine, site.cloud.daemon.app.database._reader}
    for engine in engines:
        sa.event.listen(engine, 'before_cursor_execute', keep)
    site.token('top')
    for path in (f'/projects/{site.top}/{site.own}/roles', f'/roles/{role}/implies', '/role_inferences',
                 f'/roles/{role}/implies/{site.roles["member"]}', '/role_assignments?effective'):
        site.send('GET', path, 200)
    site.cloud.make('roles', 'role', name='fresh')
    site.send('PUT', f'/roles/{role}/implies/{site.roles["reader"]}', 201)
    for engine in engines:
        sa.event.remove(engine, 'before_cursor_execute', keep)
    found = [each for each in said if ' FROM identity_roles' in each or ' FROM identity_implied_roles' in each]
    assert found
    for each in found:
        assert 'LIMIT' in each or '_id IN' in each or '.id IN' in each or '.id =' in each, each
