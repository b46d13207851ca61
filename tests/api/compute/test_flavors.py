"""Flavors over HTTP, at both sides of every version that changed them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.compute.compute_cloud import ADMIN, MEMBER, NOBODY, OTHER, ComputeApi

BODY = {'name': 'm1.tiny', 'ram': 512, 'vcpus': 1, 'disk': 1}


def make(api: ComputeApi, version: str | None = None, **values: Any) -> dict[str, Any]:
    return api('POST', '/flavors', {'flavor': {**BODY, **values}}, version=version, token=ADMIN, status=200)['flavor']


def ids(answer: dict[str, Any]) -> list[str]:
    return [flavor['id'] for flavor in answer['flavors']]


def test_the_oldest_shape(api: ComputeApi) -> None:
    flavor = make(api, id='7')
    links = flavor.pop('links')
    assert flavor == {
        'id': '7', 'name': 'm1.tiny', 'ram': 512, 'disk': 1, 'vcpus': 1, 'OS-FLV-EXT-DATA:ephemeral': 0, 'swap': '',
        'OS-FLV-DISABLED:disabled': False, 'rxtx_factor': 1.0, 'os-flavor-access:is_public': True}
    assert links == [{'rel': 'self', 'href': 'http://localhost/v2.1/flavors/7'},
                     {'rel': 'bookmark', 'href': 'http://localhost/flavors/7'}]
    assert api('GET', '/flavors/7', status=200)['flavor'] == {**flavor, 'links': links}


@pytest.mark.parametrize(('version', 'present', 'absent'), [
    ('2.54', ('rxtx_factor',), ('description', 'extra_specs')),
    ('2.55', ('rxtx_factor', 'description'), ('extra_specs',)),
    ('2.60', ('description',), ('extra_specs',)),
    ('2.61', ('description', 'extra_specs', 'rxtx_factor', 'OS-FLV-DISABLED:disabled'), ()),
    ('2.101', ('rxtx_factor', 'OS-FLV-DISABLED:disabled'), ()),
    ('2.102', ('description', 'extra_specs'), ('rxtx_factor', 'OS-FLV-DISABLED:disabled')),
])
@pytest.mark.parametrize('path', ['/flavors/7', '/flavors/detail'])
def test_keys_come_and_go(api: ComputeApi, version: str, present: Any, absent: Any, path: str) -> None:
    make(api, id='7')
    answer = api('GET', path, version=version, status=200)
    flavor = answer['flavor'] if 'flavor' in answer else answer['flavors'][0]
    assert set(present) <= set(flavor)
    assert not set(absent) & set(flavor)


@pytest.mark.parametrize(('version', 'swap'), [('2.74', ''), ('2.75', 0)])
def test_no_swap(api: ComputeApi, version: str, swap: Any) -> None:
    make(api, id='7')
    assert api('GET', '/flavors/7', version=version)['flavor']['swap'] == swap


def test_extra_specs_are_hidden_where_policy_says_so(api: ComputeApi) -> None:
    make(api, id='7')
    assert 'extra_specs' not in api('GET', '/flavors/7', version='2.61', token=NOBODY, status=200)['flavor']


def test_numbers_may_be_text_and_an_id_may_be_made(api: ComputeApi) -> None:
    flavor = make(api, ram='1024', vcpus='2', disk='0', id='auto')
    assert (flavor['ram'], flavor['vcpus'], flavor['disk']) == (1024, 2, 0)
    assert len(flavor['id']) == 36
    assert make(api, name='b', id=None)['id'] != flavor['id']


@pytest.mark.parametrize('values', [
    {'ram': 0}, {'ram': '0'}, {'vcpus': -1}, {'disk': 2 ** 31}, {'disk': '2147483648'}, {'name': ''}, {'name': ' x'},
    {'name': 'x' * 256}, {'id': 'a/b'}, {'surprise': 1}, {'description': 'too early'}, {'ram': 1.5}, {'ram': None},
    {'os-flavor-access:is_public': 'maybe'}, {'rxtx_factor': 'fast'},
    {'rxtx_factor': 0}, {'rxtx_factor': 0.0}, {'rxtx_factor': '0'}, {'rxtx_factor': '0.0'}, {'rxtx_factor': -1},
    {'rxtx_factor': None}, {'vcpus': '0'}, {'ram': '0'}, {'disk': '-1'}, {'swap': '2147483648'},
    {'rxtx_factor': '9' * 39}, {'rxtx_factor': '9' * 400}])
def test_bad_bodies(api: ComputeApi, values: dict[str, Any]) -> None:
    answer = api('POST', '/flavors', {'flavor': {**BODY, **values}}, token=ADMIN, status=400)
    assert answer['badRequest']['code'] == 400


def test_rxtx_factor_is_refused_from_2_102(api: ComputeApi) -> None:
    body = {'flavor': {**BODY, 'rxtx_factor': 2.0}}
    assert api('POST', '/flavors', body, version='2.101', token=ADMIN, status=200)['flavor']['rxtx_factor'] == 2.0
    api('POST', '/flavors', body, version='2.102', token=ADMIN, status=400)


def test_name_and_id_are_unique(api: ComputeApi) -> None:
    make(api, id='7')
    for body in ({**BODY, 'id': '8'}, {**BODY, 'id': '7', 'name': 'other'}):
        assert 'already exists' in api('POST', '/flavors', {'flavor': body}, token=ADMIN, status=409)[
            'conflictingRequest']['message']


def test_only_administrators_manage(api: ComputeApi) -> None:
    make(api, id='7')
    api('POST', '/flavors', {'flavor': BODY}, status=403)
    api('PUT', '/flavors/7', {'flavor': {'description': 'x'}}, version='2.55', status=403)
    api('DELETE', '/flavors/7', status=403)


def test_description(api: ComputeApi) -> None:
    make(api, '2.55', id='7', description='small')
    api('PUT', '/flavors/7', {'flavor': {'description': 'x'}}, version='2.54', token=ADMIN, status=404)
    changed = api('PUT', '/flavors/7', {'flavor': {'description': None}}, version='2.55', token=ADMIN, status=200)
    assert changed['flavor']['description'] is None
    api('PUT', '/flavors/9', {'flavor': {'description': None}}, version='2.55', token=ADMIN, status=404)
    api('PUT', '/flavors/7', {'flavor': {'name': 'no'}}, version='2.55', token=ADMIN, status=400)


def test_delete(api: ComputeApi) -> None:
    make(api, id='7')
    assert api('DELETE', '/flavors/7', token=ADMIN, status=202) is None
    assert api('DELETE', '/flavors/7', token=ADMIN, status=404)['itemNotFound']['message'] == (
        'Flavor 7 could not be found.')
    api('GET', '/flavors/7', status=404)


def test_filters_and_order(api: ComputeApi) -> None:
    for number, (ram, disk) in enumerate(((512, 30), (2048, 10), (1024, 20))):
        make(api, id=str(number), name=f'f{number}', ram=ram, disk=disk)
    assert ids(api('GET', '/flavors')) == ['0', '1', '2']
    assert ids(api('GET', '/flavors?minRam=1024')) == ['1', '2']
    assert ids(api('GET', '/flavors?minDisk=20')) == ['0', '2']
    assert ids(api('GET', '/flavors?sort_key=memory_mb')) == ['0', '2', '1']
    assert ids(api('GET', '/flavors?sort_key=root_gb&sort_dir=desc')) == ['0', '2', '1']
    assert ids(api('GET', '/flavors?name=F1', version='2.102')) == ['1']
    assert ids(api('GET', '/flavors?name=f1', version='2.74')) == ['0', '1', '2']
    api('GET', '/flavors?minRam=much', status=400)
    api('GET', '/flavors?sort_key=secret', status=400)
    api('GET', '/flavors?nonsense=1', version='2.74', status=200)
    api('GET', '/flavors?nonsense=1', version='2.75', status=400)


def test_pages(api: ComputeApi) -> None:
    for number in range(5):
        make(api, id=str(number), name=f'f{number}')
    seen, path = [], '/v2.1/flavors/detail?limit=2&sort_key=memory_mb'
    while path:
        answer = api('GET', path, prefix='', status=200)
        seen += ids(answer)
        path = answer['flavors_links'][0]['href'].removeprefix('http://localhost') if 'flavors_links' in answer else ''
    assert seen == ['0', '1', '2', '3', '4']
    api('GET', '/flavors?marker=nine', status=400)
    api('GET', '/flavors?limit=many', status=400)


def test_private_flavors_and_access(api: ComputeApi) -> None:
    make(api, id='7')
    make(api, id='8', name='private', **{'os-flavor-access:is_public': False})
    assert ids(api('GET', '/flavors')) == ['7']
    api('GET', '/flavors/8', status=404)
    assert api('GET', '/flavors/8/os-flavor-access', token=ADMIN, status=200) == {'flavor_access': []}
    api('GET', '/flavors/7/os-flavor-access', token=ADMIN, status=404)
    add, remove = {'addTenantAccess': {'tenant': 'p1'}}, {'removeTenantAccess': {'tenant': 'p1'}}
    granted = api('POST', '/flavors/8/action', add, token=ADMIN, status=200)
    assert granted == {'flavor_access': [{'flavor_id': '8', 'tenant_id': 'p1'}]}
    api('POST', '/flavors/8/action', add, token=ADMIN, status=409)
    api('POST', '/flavors/8/action', add, status=403)
    assert ids(api('GET', '/flavors', token=MEMBER)) == ['7', '8']
    assert ids(api('GET', '/flavors', token=OTHER)) == ['7']
    assert api('POST', '/flavors/8/action', remove, token=ADMIN, status=200) == {'flavor_access': []}
    api('POST', '/flavors/8/action', remove, token=ADMIN, status=404)


def test_access_to_a_public_flavor(api: ComputeApi) -> None:
    make(api, id='7')
    add = {'addTenantAccess': {'tenant': 'p1'}}
    api('POST', '/flavors/7/action', add, version='2.7', token=ADMIN, status=409)
    api('POST', '/flavors/7/action', add, version='2.6', token=ADMIN, status=200)
    api.cloud.identity.known = {'p1'}
    api('POST', '/flavors/7/action', {'addTenantAccess': {'tenant': 'p9'}}, token=ADMIN, status=400)


def test_administrators_choose_the_kind(api: ComputeApi) -> None:
    make(api, id='7')
    make(api, id='8', name='private', **{'os-flavor-access:is_public': False})
    assert ids(api('GET', '/flavors', token=ADMIN)) == ['7']
    assert ids(api('GET', '/flavors?is_public=None', token=ADMIN)) == ['7', '8']
    assert ids(api('GET', '/flavors?is_public=False', token=ADMIN)) == ['8']
    assert ids(api('GET', '/flavors?is_public=False', token=MEMBER)) == ['7']
    api('GET', '/flavors?is_public=perhaps', token=ADMIN, status=400)


def test_extra_specs(api: ComputeApi) -> None:
    make(api, id='7')
    path = '/flavors/7/os-extra_specs'
    sent = {'extra_specs': {'hw:cpu_cores': '2', 'mine': '3'}}
    assert api('POST', path, sent, token=ADMIN, status=200) == sent
    assert api('GET', path, status=200) == sent
    assert api('GET', path + '/mine', status=200) == {'mine': '3'}
    assert api('PUT', path + '/mine', {'mine': 4}, token=ADMIN, status=200) == {'mine': '4'}
    api('PUT', path + '/mine', {'other': '4'}, token=ADMIN, status=400)
    api('PUT', path + '/mine', {'mine': '4', 'other': '4'}, token=ADMIN, status=400)
    assert api('DELETE', path + '/mine', token=ADMIN, status=200) is None
    api('DELETE', path + '/mine', token=ADMIN, status=404)
    api('GET', path + '/mine', status=404)
    api('POST', path, sent, status=403)
    api('POST', path, {'extra_specs': {'bad/key': '1'}}, token=ADMIN, status=400)
    assert api('GET', '/flavors/7', version='2.61')['flavor']['extra_specs'] == {'hw:cpu_cores': '2'}


@pytest.mark.parametrize('spec', [{'hw:cpu_polcy': 'shared'}, {'hw:cpu_policy': 'greedy'}, {'hw:cpu_cores': '0'},
                                  {'hw:boot_menu': 'perhaps'}, {'trait:HW_CPU': 'wanted'}, {'quota:nothing': '1'}])
def test_known_namespaces_are_checked_from_2_86(api: ComputeApi, spec: dict[str, str]) -> None:
    make(api, id='7')
    path = '/flavors/7/os-extra_specs'
    api('POST', path, {'extra_specs': spec}, version='2.86', token=ADMIN, status=400)
    api('POST', path, {'extra_specs': spec}, version='2.85', token=ADMIN, status=200)


@pytest.mark.parametrize('spec', [{'mine:anything': 'x'}, {'hw:numa_cpus.0': '0-3,^2'}, {'resources1:VCPU': '2'},
                                  {'trait:CUSTOM_GOLD': 'required'}, {'hw:mem_page_size': '2MB'}])
def test_right_ones_pass(api: ComputeApi, spec: dict[str, str]) -> None:
    make(api, id='7')
    api('POST', '/flavors/7/os-extra_specs', {'extra_specs': spec}, version='2.86', token=ADMIN, status=200)
