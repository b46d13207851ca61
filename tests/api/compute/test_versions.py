"""Version documents, negotiation, the two endpoints, and the shapes of errors."""

from __future__ import annotations

import re

import pytest
import webob

from compute.api.app import all_resources
from compute.api.history import HISTORY
from compute.exception import TooLarge
from compute.http.reader import REFUSAL
from tests.api.compute.compute_cloud import ADMIN, MEMBER, ComputeApi


def test_list(api: ComputeApi) -> None:
    answer = api('GET', '/', prefix='', token=None, status=200)
    assert [(version['id'], version['status'], version['version'], version['min_version'])
            for version in answer['versions']] == [('v2.0', 'SUPPORTED', '', ''), ('v2.1', 'CURRENT', '2.104', '2.1')]
    assert answer['versions'][1]['links'] == [{'rel': 'self', 'href': 'http://localhost/v2.1/'}]


@pytest.mark.parametrize(('path', 'name'), [('/v2.1/', 'v2.1'), ('/v2/', 'v2.0'), ('/v2.1/versions/v2.0', 'v2.0')])
def test_document(api: ComputeApi, path: str, name: str) -> None:
    document = api('GET', path, prefix='', token=None, status=200)['version']
    assert document['id'] == name
    assert set(document) == {'id', 'status', 'version', 'min_version', 'updated', 'links', 'media-types'}


@pytest.mark.parametrize('path', ['/v2.1', '/v2'])
def test_the_missing_slash(api: ComputeApi, path: str) -> None:
    answer = api.send('GET', path, token=None)
    assert (answer.status_int, answer.headers['Location']) == (302, f'http://localhost{path}/')


@pytest.mark.parametrize(('path', 'links'), [
    ('/', ['/v2/', '/v2.1/']), ('/v2.1/', ['/v2.1/']), ('/elsewhere', ['/v2/elsewhere', '/v2.1/elsewhere']),
    ('/v2.1/flavors', ['/v2.1/flavors/1', '/flavors/1']),
    ('/v2.1/flavors?limit=1', ['/v2.1/flavors/1', '/flavors/1', '/v2.1/flavors?limit=1&marker=1'])])
def test_links_behind_a_proxy_that_adds_a_path(api: ComputeApi, path: str, links: list[str]) -> None:
    for number in ('1', '2'):
        api('POST', '/flavors', {'flavor': {'id': number, 'name': number, 'ram': 64, 'vcpus': 1, 'disk': 1}},
            token=ADMIN, status=200)
    request = webob.Request.blank(path, base_url='http://cloud/compute', headers={'X-Auth-Token': MEMBER})
    found = re.findall('"href":"(http://cloud[^"]*)"', request.get_response(api.wsgi).text)
    assert set(found) >= {f'http://cloud/compute{link}' for link in links}
    assert all(each.startswith('http://cloud/compute/') for each in found)


@pytest.mark.parametrize('prefix', ['/v2', '/v2.1'])
@pytest.mark.parametrize('project', ['', '/0123456789abcdef0123456789abcdef', '/01234567-89ab-cdef-0123-456789abcdef'])
def test_links_keep_the_project_of_the_url(api: ComputeApi, prefix: str, project: str) -> None:
    token = f'root:{project[1:] or "p0"}:admin'
    for number in ('1', '2'):
        api('POST', '/flavors', {'flavor': {'id': number, 'name': number, 'ram': 64, 'vcpus': 1, 'disk': 1}},
            token=ADMIN, status=200)
    for path, query in (('/flavors', '?limit=1'), ('/flavors/detail', '?limit=1')):
        answer = api('GET', f'{prefix}{project}{path}{query}', prefix='', token=token, status=200)
        assert [link['href'] for link in answer['flavors'][0]['links']] == [
            f'http://localhost{prefix}{project}/flavors/1', f'http://localhost{project}/flavors/1']
        assert answer['flavors_links'] == [
            {'rel': 'next', 'href': f'http://localhost{prefix}{project}{path}{query}&marker=1'}]
    document = api('GET', f'{prefix}{project}/versions/v2.1', prefix='', token=None, status=200)['version']
    assert document['links'][0]['href'] == 'http://localhost/v2.1/'


def test_choices_elsewhere(api: ComputeApi) -> None:
    answer = api('GET', '/servers', prefix='', token=None, status=300)
    assert [choice['links'][0]['href'] for choice in answer['choices']] == [
        'http://localhost/v2/servers', 'http://localhost/v2.1/servers']


@pytest.mark.parametrize('path', ['/\xe4', '/servers/%FF'])
def test_elsewhere_a_url_that_is_no_text_is_a_bad_request(api: ComputeApi, path: str) -> None:
    answer = webob.Request.blank('/', environ={'PATH_INFO': path.replace('%FF', '\xff')}).get_response(api.wsgi)
    assert (answer.status_int, answer.json['badRequest']['message']) == (400, 'The URL is not in UTF-8')


def test_elsewhere_a_request_that_the_server_refused_is_refused(api: ComputeApi) -> None:
    request = webob.Request.blank('/elsewhere', environ={REFUSAL: TooLarge('The body has 9 bytes; the limit is 8')})
    answer = request.get_response(api.wsgi)
    assert (answer.status_int, answer.json['overLimit']['message']) == (413, 'The body has 9 bytes; the limit is 8')


@pytest.mark.parametrize(('asked', 'got'), [(None, '2.1'), ('2.1', '2.1'), ('2.61', '2.61'), ('latest', '2.104')])
def test_negotiation(api: ComputeApi, asked: str | None, got: str) -> None:
    answer = api.send('GET', '/v2.1/flavors', version=asked)
    assert answer.headers['OpenStack-API-Version'] == f'compute {got}'
    assert answer.headers['X-OpenStack-Nova-API-Version'] == got
    assert answer.headers['Vary'] == 'OpenStack-API-Version, X-OpenStack-Nova-API-Version'


@pytest.mark.parametrize(('asked', 'status', 'key'), [
    ('2.105', 406, 'computeFault'), ('1.1', 406, 'computeFault'), ('2', 400, 'badRequest'),
    ('2.01', 400, 'badRequest')])
def test_refused_versions(api: ComputeApi, asked: str, status: int, key: str) -> None:
    answer = api.send('GET', '/v2.1/flavors', version=asked)
    assert answer.status_int == status
    assert answer.json[key]['code'] == status
    assert 'Vary' in answer.headers


def test_a_token_is_needed(api: ComputeApi) -> None:
    assert api('GET', '/flavors', token=None, status=401)['unauthorized']['code'] == 401
    api('GET', '/nothing-here', token=None, status=401)
    api('GET', '/nothing-here', status=404)


def test_methods(api: ComputeApi) -> None:
    answer = api.send('PATCH', '/v2.1/flavors')
    assert (answer.status_int, answer.headers['Allow']) == (405, 'GET, POST')
    assert 'badMethod' in answer.json


@pytest.mark.parametrize('project', ['a' * 32, '11111111-2222-3333-4444-555555555555'])
def test_project_in_the_url(api: ComputeApi, project: str) -> None:
    token = f'ann:{project}:member,reader'
    api('GET', f'/{project}/flavors', token=token, status=200)
    answer = api('GET', f'/{"b" * 32}/flavors', token=token, status=400)
    assert 'Malformed request URL' in answer['badRequest']['message']


def test_v2_takes_what_v2_1_refuses(api: ComputeApi) -> None:
    body = {'flavor': {'name': 'f', 'ram': 1, 'vcpus': 1, 'disk': 0, 'surprise': 1}, 'more': 2}
    api('POST', '/flavors', body, token=ADMIN, status=400)
    answer = api.send('POST', '/v2/flavors', body, version='2.61', token=ADMIN)
    assert answer.status_int == 200
    assert 'OpenStack-API-Version' not in answer.headers
    flavor = answer.json['flavor']
    assert 'extra_specs' not in flavor and 'surprise' not in flavor
    assert flavor['links'][0]['href'] == f'http://localhost/v2/flavors/{flavor["id"]}'
    del body['flavor']['name']
    assert api.send('POST', '/v2/flavors', body, token=ADMIN).status_int == 400


@pytest.mark.parametrize(('path', 'status'), [('/flavors/a%00b', 404), ('/flavors?marker=a%00b', 400)])
def test_nul_reaches_no_database(api: ComputeApi, path: str, status: int) -> None:
    api('GET', path, status=status)


def test_a_token_without_a_project_sees_no_private_flavor(api: ComputeApi) -> None:
    body = {'flavor': {'name': 'f', 'id': '8', 'ram': 1, 'vcpus': 1, 'disk': 0, 'os-flavor-access:is_public': False}}
    api('POST', '/flavors', body, token=ADMIN, status=200)
    api('GET', '/flavors/8', token='ann::', status=404)
    assert api('GET', '/flavors', token='ann::', status=200) == {'flavors': []}
    assert api('GET', '/os-aggregates', token=ADMIN, status=200) == {'aggregates': []}


def test_history_is_complete() -> None:
    assert [version for version, _ in HISTORY] == [f'2.{number}' for number in range(1, 105)]
    assert all(text.endswith('.') for _, text in HISTORY)
    assert len({text for _, text in HISTORY}) == len(HISTORY)


def test_a_query_is_strict_everywhere_from_2_102(api: ComputeApi) -> None:
    api('GET', '/os-availability-zone?x=1', version='2.101', status=200)
    api('GET', '/os-availability-zone?x=1', version='2.102', status=400)
    assert all(op.query is not None for resource in all_resources() for op in resource.ops
               if not op.public and not op.is_refused)
