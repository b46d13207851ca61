"""Lists compare only what they show: secrets are no filters, and a domain's reader stays in its domain."""

from __future__ import annotations

import pytest

from compute.builtin.identity.db import nouns
from tests.api.identity.cloud import ADMIN, Cloud, password

DEFAULT = {'id': 'default'}
SECRETS = [(path, column.name) for path, noun in (
    ('/v3/users', nouns.USERS), ('/v3/credentials', nouns.KEPT_CREDENTIALS),
    ('/v3/users/{user}/application_credentials', nouns.CREDENTIALS))
    for column in noun.table.c if column.name in noun.hidden]


@pytest.fixture
def domain_reader(cloud: Cloud) -> str:
    """A token of a reader of the default domain, with nothing on any project."""
    user = cloud.make('users', 'user', name='dora', password='dora')['id']
    path = f'/v3/domains/default/users/{user}/roles/{cloud.ids["roles"]["reader"]}'
    assert cloud.send('PUT', path, token=cloud.admin).status_code == 204
    return cloud.token(password('dora', 'dora'), {'domain': DEFAULT})


@pytest.mark.parametrize(('path', 'column'), SECRETS)
def test_secrets_are_no_filters(cloud: Cloud, path: str, column: str) -> None:
    user = cloud.ids['users']['admin']
    path, token = path.format(user=user), cloud.token(password('admin', ADMIN), {'system': {'all': True}})
    whole = cloud.send('GET', path, token=token).json
    for value in ('0', 'x'):
        found = cloud.send('GET', f'{path}?{column}={value}&sort_key={column}', token=token).json
        for answer in (whole, found):
            answer['links'] = None
        assert found == whole


@pytest.mark.parametrize('words', ['projects', 'users', 'groups', 'domains'])
def test_a_reader_of_a_domain_lists_no_other(cloud: Cloud, domain_reader: str, words: str) -> None:
    other = cloud.make('domains', 'domain', name='other')['id']
    if words != 'domains':
        cloud.make(words, words.removesuffix('s'), name='foreign', domain_id=other)
    for query in ('', f'?domain_id={other}', '?name=foreign', f'?parent_id={other}', f'?parent_id={other}&name=foreign',
                  f'?domain_id={other}&parent_id={other}', f'?domain_id=default&parent_id={other}'):
        answer = cloud.send('GET', f'/v3/{words}{query}', token=domain_reader)
        assert answer.status_code == 200
        assert {item.get('domain_id', item['id']) for item in answer.json[words]} <= {'default'}, query
