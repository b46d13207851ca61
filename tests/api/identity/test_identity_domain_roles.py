"""Roles of a domain: given inside it only, never in a token, there to imply others."""

from __future__ import annotations

from typing import Any

import pytest

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
    site.send('POST', '/roles', 409, {'role': {'name': 'Builder', 'domain_id': 'default'}})


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
