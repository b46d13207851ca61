"""GET /v3/role_assignments: what was given, what it comes to, and every filter."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.identity.cloud import Cloud, password
from tests.api.identity.test_identity_groups import Site

LINK = 'http://127.0.0.1:5000/v3'


@pytest.fixture
def filled(cloud: Cloud) -> Site:
    """A site with one assignment of each kind."""
    made = Site(cloud)
    made.join()
    made.give(made.own, f'/projects/{made.top}', 'reader')
    made.give(made.members, f'/projects/{made.top}', 'member', inherited=True)
    made.give(made.members, f'/domains/{made.domain}', 'service', inherited=True)
    made.give(made.members, f'/domains/{made.domain}', 'reader')
    made.give(made.members, '/system', 'reader')
    return made


def ask(filled: Site, query: str, status: int = 200) -> list[dict[str, Any]]:
    answer = filled.send('GET', f'/role_assignments?{query}', status)
    return list(answer['role_assignments']) if status == 200 else []


def brief(filled: Site, query: str) -> list[tuple[str, str, str]]:
    """Return (actor, target, role), each with its name, ``+`` before an inherited role."""
    found = []
    for item in ask(filled, f'{query}&include_names'):
        actor = item.get('user') or item['group']
        scope = item['scope']
        target = 'system' if 'system' in scope else (scope.get('project') or scope['domain'])['name']
        inherited = '+' if scope.get('OS-INHERIT:inherited_to') == 'projects' else ''
        found.append((actor['name'], target, inherited + item['role']['name']))
    return sorted(found)


def test_as_given(filled: Site) -> None:
    assert brief(filled, f'group.id={filled.group}') == [
        ('devs', 'guests', '+service'), ('devs', 'guests', 'reader'), ('devs', 'system', 'reader'),
        ('devs', 'top', '+member')]
    assert brief(filled, f'user.id={filled.user}') == [('zoe', 'top', 'reader')]
    assert brief(filled, f'scope.project.id={filled.top}') == [('devs', 'top', '+member'), ('zoe', 'top', 'reader')]
    assert brief(filled, f'scope.domain.id={filled.domain}') == [('devs', 'guests', '+service'),
                                                              ('devs', 'guests', 'reader')]
    assert brief(filled, f'group.id={filled.group}&scope.OS-INHERIT:inherited_to=projects') == [
        ('devs', 'guests', '+service'), ('devs', 'top', '+member')]
    assert brief(filled, f'role.id={filled.roles["service"]}&scope.domain.id={filled.domain}') == [
        ('devs', 'guests', '+service')]
    assert ('devs', 'system', 'reader') in brief(filled, 'scope.system=all')
    assert len(ask(filled, '')) == 8


def test_as_it_works(filled: Site) -> None:
    of_zoe = f'user.id={filled.user}&effective'
    assert brief(filled, of_zoe) == [
        ('zoe', 'guests', 'reader'), ('zoe', 'leaf', '+member'), ('zoe', 'leaf', '+reader'),
        ('zoe', 'leaf', '+service'), ('zoe', 'system', 'reader'), ('zoe', 'top', '+service'), ('zoe', 'top', 'reader')]
    assert brief(filled, f'scope.project.id={filled.leaf}&effective') == [
        ('zoe', 'leaf', '+member'), ('zoe', 'leaf', '+reader'), ('zoe', 'leaf', '+service')]
    assert brief(filled, f'scope.domain.id={filled.domain}&effective') == [('zoe', 'guests', 'reader')]
    assert brief(filled, f'{of_zoe}&role.id={filled.roles["reader"]}&scope.project.id={filled.leaf}') == [
        ('zoe', 'leaf', '+reader')]
    assert brief(filled, f'{of_zoe}&scope.OS-INHERIT:inherited_to=projects&scope.project.id={filled.top}') == [
        ('zoe', 'top', '+service')]
    assert brief(filled, f'scope.project.id={filled.top}&include_subtree&effective') == [
        ('zoe', 'leaf', '+member'), ('zoe', 'leaf', '+reader'), ('zoe', 'leaf', '+service'),
        ('zoe', 'top', '+service'), ('zoe', 'top', 'reader')]
    everything = brief(filled, 'effective')
    assert ('admin', 'admin', 'reader') in everything and len(everything) == len(set(everything))


def test_it_works_as_tokens_do(filled: Site) -> None:
    for name in ('top', 'leaf'):
        listed = brief(filled, f'user.id={filled.user}&scope.project.id={getattr(filled, name)}&effective=1')
        assert sorted(role.lstrip('+') for _, _, role in listed) == filled.on(name)


def test_subtree(filled: Site) -> None:
    filled.give(filled.own, f'/projects/{filled.leaf}', 'reader')
    assert brief(filled, f'scope.project.id={filled.top}&include_subtree=true') == [
        ('devs', 'top', '+member'), ('zoe', 'leaf', 'reader'), ('zoe', 'top', 'reader')]
    assert len(ask(filled, f'scope.project.id={filled.top}&include_subtree=0')) == 2


def test_links_say_where_it_comes_from(filled: Site) -> None:
    item, = ask(filled, f'user.id={filled.user}&scope.project.id={filled.leaf}&effective'
                        f'&role.id={filled.roles["member"]}')
    assert item == {'user': {'id': filled.user}, 'role': {'id': filled.roles['member']},
                    'scope': {'project': {'id': filled.leaf}, 'OS-INHERIT:inherited_to': 'projects'},
                    'links': {'assignment': f'{LINK}/OS-INHERIT/projects/{filled.top}/groups/{filled.group}/roles/'
                                            f'{filled.roles["member"]}/inherited_to_projects',
                              'membership': f'{LINK}/groups/{filled.group}/users/{filled.user}'}}
    for each in ask(filled, ''):
        filled.send('HEAD', each['links']['assignment'].removeprefix(LINK))


def test_names_with_their_domains(filled: Site) -> None:
    item, = ask(filled, f'user.id={filled.user}&include_names=True')
    guests = {'id': filled.domain, 'name': 'guests'}
    assert item['user'] == {'id': filled.user, 'name': 'zoe', 'domain': guests}
    assert item['scope']['project'] == {'id': filled.top, 'name': 'top', 'domain': guests}
    assert item['role'] == {'id': filled.roles['reader'], 'name': 'reader'}


@pytest.mark.parametrize('query', [
    'user.id=a&group.id=b', 'scope.project.id=a&scope.domain.id=b', 'scope.project.id=a&scope.system=all',
    'scope.domain.id=a&scope.system=all', 'effective&group.id=a', 'include_subtree',
    'effective&scope.domain.id=a&scope.OS-INHERIT:inherited_to=projects', 'scope.OS-INHERIT:inherited_to=domains'])
def test_filters_that_contradict_each_other(filled: Site, query: str) -> None:
    ask(filled, query, 400)


def test_what_is_not_there_fits_nothing(filled: Site) -> None:
    for query in ('user.id=x', 'group.id=x', 'role.id=x', 'scope.project.id=x', 'scope.domain.id=x',
                  'scope.project.id=x&effective', 'user.id=x&effective', 'scope.project.id=x&include_subtree'):
        assert ask(filled, query) == [], query


def test_a_domains_reader_sees_its_domain(filled: Site) -> None:
    token = filled.cloud.token(password('zoe', 'zoe', 'guests'), {'domain': {'id': filled.domain}})
    seen = filled.cloud.send('GET', '/v3/role_assignments', token=token).json['role_assignments']
    assert len(seen) == 4 and all('system' not in item['scope'] for item in seen)
    others = f'scope.project.id={filled.cloud.ids["projects"]["admin"]}'
    assert filled.cloud.send('GET', f'/v3/role_assignments?{others}', token=token).json['role_assignments'] == []


def test_assignments_elsewhere_take_no_room_in_the_list_of_a_domains_reader(filled: Site) -> None:
    token = filled.cloud.token(password('zoe', 'zoe', 'guests'), {'domain': {'id': filled.domain}})

    def seen(query: str) -> dict[str, Any]:
        answer: dict[str, Any] = filled.cloud.send('GET', f'/v3/role_assignments?{query}', token=token).json
        return answer
    for query in ('', 'effective', 'scope.OS-INHERIT:inherited_to=projects', f'group.id={filled.group}'):
        filled.cloud.conf.set_override('list_limit', 1000, 'identity')
        everything = seen(query)['role_assignments']
        filled.cloud.conf.set_override('list_limit', len(everything), 'identity')
        again = seen(query)
        assert again['role_assignments'] == everything and 'truncated' not in again, query
        filled.cloud.conf.set_override('list_limit', 1, 'identity')
        assert seen(query)['truncated'] is True, query
    assert len(everything) == 3
    assert seen('scope.system=all')['role_assignments'] == []


def test_a_list_is_cut_and_says_so(filled: Site) -> None:
    filled.cloud.conf.set_override('list_limit', 3, 'identity')
    for query in ('', 'effective', f'user.id={filled.user}&effective'):
        answer = filled.send('GET', f'/role_assignments?{query}', 200)
        assert len(answer['role_assignments']) == 3 and answer['truncated'] is True
    users = filled.send('GET', '/groups?limit=1', 200)
    assert 'truncated' not in users
    for number in range(3):
        filled.cloud.make('groups', 'group', name=f'g{number}')
    cut = filled.send('GET', '/groups', 200)
    assert len(cut['groups']) == 3 and cut['truncated'] is True
    rest = filled.send('GET', cut['links']['next'].removeprefix(LINK), 200)
    assert len(rest['groups']) == 1 and rest['links']['next'] is None and 'truncated' not in rest
