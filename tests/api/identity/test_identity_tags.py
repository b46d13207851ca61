"""Tags of projects; and what else a project, a domain or a region answers as Keystone does."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.identity.cloud import Cloud, password, project


def make(cloud: Cloud, name: str, *tags: str) -> str:
    return str(cloud.make('projects', 'project', name=name, tags=list(tags))['id'])


def test_all_together_and_one_by_one(cloud: Cloud) -> None:
    token, path = cloud.admin, f'/v3/projects/{make(cloud, "web", "a", "b")}/tags'
    assert cloud.send('GET', path, token=token).json['tags'] == ['a', 'b']
    assert cloud.send('PUT', path, {'tags': ['b', 'A', 'ä b']}, token).json['tags'] == ['b', 'A', 'ä b']
    for method in ('GET', 'HEAD'):
        assert cloud.send(method, f'{path}/A', token=token).status_code == 204
        assert cloud.send(method, f'{path}/a', token=token).status_code == 404
    for _ in range(2):
        added = cloud.send('PUT', f'{path}/new', token=token)
        assert added.status_code == 201 and added.headers['Location'].endswith(f'{path}/new')
    cat = cloud.send('PUT', f'{path}/%E7%8C%AB', token=token)
    assert cat.headers['Location'].endswith(f'{path}/%E7%8C%AB'), 'headers hold no other letters'
    assert cloud.send('DELETE', f'{path}/%E7%8C%AB', token=token).status_code == 204
    assert cloud.send('DELETE', f'{path}/b', token=token).status_code == 204
    assert cloud.send('DELETE', f'{path}/b', token=token).status_code == 404
    assert cloud.send('GET', path.removesuffix('/tags'), token=token).json['project']['tags'] == ['A', 'ä b', 'new']
    assert cloud.send('DELETE', path, token=token).status_code == 204
    assert cloud.send('GET', path, token=token).json['tags'] == []


@pytest.mark.parametrize('tag', ['a,b', 'x' * 256])
def test_tags_that_are_refused(cloud: Cloud, tag: str) -> None:
    token, path = cloud.admin, f'/v3/projects/{make(cloud, "web")}'
    assert cloud.send('PUT', f'{path}/tags/{tag}', token=token).status_code == 400
    assert cloud.send('PUT', f'{path}/tags', {'tags': [tag]}, token).status_code == 400
    assert cloud.send('PATCH', path, {'project': {'tags': [tag]}}, token).status_code == 400
    assert cloud.send('PATCH', path, {'project': {'tags': ['a/b']}}, token).status_code == 400


def test_how_many(cloud: Cloud) -> None:
    token, path = cloud.admin, f'/v3/projects/{make(cloud, "web")}/tags'
    most = [str(number) for number in range(80)]
    assert cloud.send('PUT', path, {'tags': [*most, 'more']}, token).status_code == 400
    assert cloud.send('PUT', path, {'tags': most}, token).status_code == 200
    answer = cloud.send('PUT', f'{path}/more', token=token)
    assert answer.status_code == 400 and '80' in answer.json['error']['message']
    assert cloud.send('PUT', f'{path}/7', token=token).status_code == 201, 'it is there'


@pytest.mark.parametrize(('query', 'expected'), [
    ('tags=a', 'both one'), ('tags=a,b', 'both'), ('tags-any=b,c', 'both two'), ('not-tags=a', 'none two'),
    ('not-tags=a,b', 'none one two'), ('not-tags-any=a,c', 'none'), ('tags=a&not-tags=b', 'one'), ('tags=A', ''),
    ('tags=', 'both none one two')])
def test_filters(cloud: Cloud, query: str, expected: str) -> None:
    for name, tags in (('both', 'ab'), ('one', 'a'), ('two', 'c'), ('none', '')):
        make(cloud, name, *tags)
    found = cloud.send('GET', f'/v3/projects?{query}', token=cloud.admin).json['projects']
    assert sorted({item['name'] for item in found} - {'admin', 'service'}) == expected.split()


def test_a_change_of_the_project_changes_the_filter(cloud: Cloud) -> None:
    web = make(cloud, 'web', 'a')
    cloud.send('PATCH', f'/v3/projects/{web}', {'project': {'tags': ['b']}}, cloud.admin)

    def found(tag: str) -> list[str]:
        listed = cloud.send('GET', f'/v3/projects?tags={tag}', token=cloud.admin).json['projects']
        return [item['id'] for item in listed]
    assert found('a') == [] and found('b') == [web]
    assert cloud.send('DELETE', f'/v3/projects/{web}', token=cloud.admin).status_code == 204
    assert found('b') == []


def test_who_may(cloud: Cloud) -> None:
    _, own = cloud.member()
    other = make(cloud, 'web', 'a')
    token = cloud.token(password('alice', 'alice'), project('alice-project'))
    assert cloud.send('GET', f'/v3/projects/{own}/tags', token=token).status_code == 200
    assert cloud.send('GET', f'/v3/projects/{own}/tags/x', token=token).status_code == 404
    for method, path in (('GET', f'{other}/tags'), ('GET', f'{other}/tags/a'), ('PUT', f'{own}/tags/a'),
                         ('DELETE', f'{own}/tags'), ('DELETE', f'{own}/tags/a')):
        assert cloud.send(method, f'/v3/projects/{path}', token=token).status_code == 403, path
    assert cloud.send('PUT', f'/v3/projects/{own}/tags', {'tags': []}, token).status_code == 403


@pytest.mark.parametrize('body', [{}, {'description': None}, {'description': ''}])
def test_a_description_that_was_not_given_is_empty(cloud: Cloud, body: dict[str, Any]) -> None:
    for words, word in (('projects', 'project'), ('domains', 'domain'), ('groups', 'group'), ('regions', 'region')):
        made = cloud.make(words, word, **({'name': 'x'} if word != 'region' else {'id': 'x'}), **body)
        assert made['description'] == '', word
        shown = cloud.send('GET', f'/v3/{words}/{made["id"]}', token=cloud.admin).json[word]
        assert shown['description'] == '', word


def test_a_tree_of_projects_ends(cloud: Cloud) -> None:
    parent = 'default'
    for depth in range(5):
        parent = cloud.make('projects', 'project', name=f'p{depth}', parent_id=parent)['id']
    answer = cloud.send('POST', '/v3/projects', {'project': {'name': 'deeper', 'parent_id': parent}}, cloud.admin)
    assert answer.status_code == 403 and '5' in answer.json['error']['message']


def test_a_region_by_its_id(cloud: Cloud) -> None:
    token, path = cloud.admin, '/v3/regions/north'
    made = cloud.send('PUT', path, {'region': {'description': 'd'}}, token)
    assert made.status_code == 201 and made.json['region']['id'] == 'north'
    assert cloud.send('PUT', path, {'region': {}}, token).status_code == 409
    assert cloud.send('PUT', '/v3/regions/south', {'region': {'id': 'west'}}, token).status_code == 400
    assert cloud.send('PUT', '/v3/regions/south', {'region': {'id': 'south', 'parent_region_id': 'north'}},
                      token).json['region']['parent_region_id'] == 'north'
    assert cloud.send('PUT', '/v3/regions/' + 'x' * 256, {'region': {}}, token).status_code == 400
    assert cloud.send('PATCH', path, {'region': {'description': 'e'}}, token).json['region']['description'] == 'e'
    cloud.member()
    member = cloud.token(password('alice', 'alice'), project('alice-project'))
    assert cloud.send('PUT', '/v3/regions/east', {'region': {}}, member).status_code == 403


def test_there_are_no_trusts(cloud: Cloud) -> None:
    token = cloud.admin
    assert cloud.send('GET', '/v3/OS-TRUST/trusts', token=token).json['trusts'] == []
    assert cloud.send('GET', '/v3/OS-TRUST/trusts?trustor_user_id=x', token=token).json['trusts'] == []
    assert cloud.send('GET', '/v3/OS-TRUST/trusts/x', token=token).status_code == 404
    assert cloud.send('GET', '/v3/OS-TRUST/trusts').status_code == 401
