"""What ends a token at once, and what does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.identity.cloud import ADMIN, SERVICE, Cloud, by_token, password, project

Act = Callable[[Cloud, str, str], tuple[Any, ...]]


def _role(cloud: Cloud, user_id: str, project_id: str) -> str:
    return f'/v3/projects/{project_id}/users/{user_id}/roles/{cloud.ids["roles"]["member"]}'


ENDS: dict[str, Act] = {
    'user disabled': lambda cloud, user, _: ('PATCH', f'/v3/users/{user}', {'user': {'enabled': False}}),
    'user deleted': lambda cloud, user, _: ('DELETE', f'/v3/users/{user}'),
    'password set': lambda cloud, user, _: ('PATCH', f'/v3/users/{user}', {'user': {'password': 'other'}}),
    'password changed': lambda cloud, user, _: (
        'POST', f'/v3/users/{user}/password', {'user': {'original_password': 'alice', 'password': 'other'}}),
    'role taken away': lambda cloud, user, own: ('DELETE', _role(cloud, user, own)),
    'role deleted': lambda cloud, user, _: ('DELETE', f'/v3/roles/{cloud.ids["roles"]["member"]}'),
    'project disabled': lambda cloud, _, own: ('PATCH', f'/v3/projects/{own}', {'project': {'enabled': False}}),
    'project deleted': lambda cloud, _, own: ('DELETE', f'/v3/projects/{own}'),
}
SPARES: dict[str, Act] = {
    'user described': lambda cloud, user, _: ('PATCH', f'/v3/users/{user}', {'user': {'description': 'x'}}),
    'role given': lambda cloud, user, own: ('PUT', _role(cloud, user, own)),
    'role taken away elsewhere': lambda cloud, _, own: (
        'DELETE', _role(cloud, cloud.ids['users']['compute'], cloud.ids['projects']['service']).rpartition('/')[0]
        + '/' + cloud.ids['roles']['service']),
    'another project disabled': lambda cloud, _, own: (
        'PATCH', f'/v3/projects/{cloud.ids["projects"]["service"]}', {'project': {'enabled': False}}),
}


def _try(cloud: Cloud, act: Act) -> bool:
    user_id, project_id = cloud.member()
    token = cloud.token(password('alice', 'alice'), project('alice-project'))
    assert cloud.alive(token)
    method, path, *body = act(cloud, user_id, project_id)
    answer = cloud.send(method, path, body[0] if body else None, cloud.admin)
    assert answer.status_code in (200, 204), answer.text
    return cloud.alive(token)


@pytest.mark.parametrize('what', ENDS)
def test_ends_tokens(cloud: Cloud, what: str) -> None:
    assert not _try(cloud, ENDS[what])
    assert cloud.alive(cloud.admin)


@pytest.mark.parametrize('what', SPARES)
def test_spares_tokens(cloud: Cloud, what: str) -> None:
    assert _try(cloud, SPARES[what])


def test_domain_disabled_and_deleted(cloud: Cloud) -> None:
    domain = cloud.make('domains', 'domain', name='guests')['id']
    user = cloud.make('users', 'user', name='bob', password='bob', domain_id=domain)['id']
    cloud.make('projects', 'project', name='bobs', domain_id=domain)
    token = cloud.token(password('bob', 'bob', 'guests'))
    path = f'/v3/domains/{domain}'
    assert cloud.send('DELETE', path, token=cloud.admin).status_code == 403
    assert cloud.send('PATCH', path, {'domain': {'enabled': False}}, cloud.admin).status_code == 200
    assert not cloud.alive(token)
    assert cloud.login(password('bob', 'bob', 'guests')).status_code == 401
    assert cloud.send('DELETE', path, token=cloud.admin).status_code == 204
    assert cloud.send('GET', f'/v3/users/{user}', token=cloud.admin).status_code == 404
    assert cloud.send('DELETE', '/v3/domains/default', token=cloud.admin).status_code == 403


def test_revoking_one_token_leaves_its_relatives(cloud: Cloud) -> None:
    parent = cloud.token(password('admin', ADMIN))
    child, other = (cloud.token(by_token(parent), project('admin')) for _ in range(2))
    assert cloud.send('DELETE', '/v3/auth/tokens', token=child, X_Subject_Token=child).status_code == 204
    assert not cloud.alive(child) and cloud.alive(parent) and cloud.alive(other)
    assert cloud.send('DELETE', '/v3/auth/tokens', token=other, X_Subject_Token=child).status_code == 404


def test_revoking_the_first_token_ends_those_made_from_it(cloud: Cloud) -> None:
    """Whoever took a token may have made others from it."""
    leaked, mine = (cloud.token(password('admin', ADMIN)) for _ in range(2))
    child = cloud.token(by_token(leaked), project('admin'))
    grandchild = cloud.token(by_token(child), project('admin'))
    assert cloud.send('DELETE', '/v3/auth/tokens', token=mine, X_Subject_Token=leaked).status_code == 204
    assert not any(map(cloud.alive, (leaked, child, grandchild)))
    assert cloud.alive(mine)


def test_others_tokens_are_revoked_by_administrators_only(cloud: Cloud) -> None:
    cloud.member()
    admin = cloud.admin
    alice = cloud.token(password('alice', 'alice'), project('alice-project'))
    assert cloud.send('DELETE', '/v3/auth/tokens', token=alice, X_Subject_Token=admin).status_code == 403
    assert cloud.send('DELETE', '/v3/auth/tokens', token=admin, X_Subject_Token=alice).status_code == 204
    assert not cloud.alive(alice)


def test_a_role_given_again_does_not_revive_old_tokens(cloud: Cloud) -> None:
    user_id, project_id = cloud.member()
    old = cloud.token(password('alice', 'alice'), project('alice-project'))
    path = _role(cloud, user_id, project_id)
    for method in ('DELETE', 'PUT'):
        assert cloud.send(method, path, token=cloud.admin).status_code == 204
    assert not cloud.alive(old)
    assert cloud.alive(cloud.token(password('alice', 'alice'), project('alice-project')))


def test_the_list_is_numbered_and_public(cloud: Cloud) -> None:
    before = cloud.send('GET', '/v3/auth/revocations').json['newest']
    token = cloud.admin
    cloud.send('DELETE', '/v3/auth/tokens', token=token, X_Subject_Token=token)
    answer = cloud.send('GET', f'/v3/auth/revocations?since={before}').json
    assert answer['number'] == answer['newest'] == before + 1
    assert [event[:2] for event in answer['events']] == [[before + 1, 'chain']]
    assert cloud.send('GET', f'/v3/auth/revocations?since={before + 1}').json['events'] == []
    assert cloud.send('GET', '/v3/auth/revocations?since=-1').status_code == 400


def test_bootstrap_again_changes_nothing_and_repairs(cloud: Cloud) -> None:
    service = cloud.token(password('compute', SERVICE))
    assert cloud.bootstrap()['changed'] == []
    assert cloud.alive(service)
    changed = cloud.bootstrap(admin_password='new', endpoints={'compute': {'name': 'nova', 'public': 'http://x:1/v2.1'}})
    assert len(changed['changed']) == 2 and changed['users'] == cloud.ids['users']
    assert cloud.login(password('admin', ADMIN)).status_code == 401
    token = cloud.login(password('admin', 'new'), project('admin')).json['token']
    assert [item['endpoints'][0]['url'] for item in token['catalog'] if item['type'] == 'compute'] == ['http://x:1/v2.1']
