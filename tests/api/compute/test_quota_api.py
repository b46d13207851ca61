"""Limits and quotas over HTTP, at both sides of every version that changed them."""

from __future__ import annotations

from typing import Any

import pytest

from compute.db import quotas
from tests.api.compute.compute_cloud import ADMIN, MEMBER, OTHER, READER, ComputeApi

NETWORK = {'fixed_ips', 'floating_ips', 'security_groups', 'security_group_rules'}
INJECTED = {'injected_files', 'injected_file_content_bytes', 'injected_file_path_bytes'}
LASTING = {'instances', 'cores', 'ram', 'metadata_items', 'key_pairs', 'server_groups', 'server_group_members'}


def use(api: ComputeApi, **amounts: int) -> None:
    limits = dict.fromkeys(quotas.RESOURCES, -1)
    api.db.transaction(lambda connection: quotas.charge(connection, limits, 'p1', **amounts))


@pytest.mark.parametrize(('version', 'gone'), [
    ('2.35', set()),
    ('2.36', {'maxTotalFloatingIps', 'maxSecurityGroups', 'maxSecurityGroupRules', 'totalFloatingIpsUsed',
              'totalSecurityGroupsUsed'}),
    ('2.39', {'maxImageMeta', 'maxSecurityGroups'}),
    ('2.57', {'maxPersonality', 'maxPersonalitySize', 'maxImageMeta'})])
def test_limits(api: ComputeApi, version: str, gone: set[str]) -> None:
    use(api, instances=2, cores=3, ram=4)
    answer = api('GET', '/limits', version=version, status=200)
    assert answer['limits']['rate'] == []
    absolute = answer['limits']['absolute']
    assert not gone & set(absolute)
    assert ('maxImageMeta' in absolute) == (version in ('2.35', '2.36'))
    assert ('maxPersonality' in absolute) == (version != '2.57')
    assert {name: absolute[name] for name in ('maxTotalInstances', 'maxTotalCores', 'maxTotalRAMSize',
                                              'totalInstancesUsed', 'totalCoresUsed', 'totalRAMUsed',
                                              'maxTotalKeypairs', 'maxServerMeta', 'maxServerGroups',
                                              'maxServerGroupMembers', 'totalServerGroupsUsed')} == {
        'maxTotalInstances': 10, 'maxTotalCores': 20, 'maxTotalRAMSize': 51200, 'totalInstancesUsed': 2,
        'totalCoresUsed': 3, 'totalRAMUsed': 4, 'maxTotalKeypairs': 100, 'maxServerMeta': 128, 'maxServerGroups': 10,
        'maxServerGroupMembers': 10, 'totalServerGroupsUsed': 0}


def test_limits_of_another_project(api: ComputeApi) -> None:
    use(api, instances=2)
    api('GET', '/limits?tenant_id=p1', token=OTHER, status=403)
    answer = api('GET', '/limits?tenant_id=p1', token=ADMIN, status=200)
    assert answer['limits']['absolute']['totalInstancesUsed'] == 2
    api('GET', '/limits?reserved=1', status=200)


@pytest.mark.parametrize(('version', 'keys'), [
    ('2.35', LASTING | NETWORK | INJECTED), ('2.36', LASTING | INJECTED), ('2.56', LASTING | INJECTED),
    ('2.57', LASTING)])
@pytest.mark.parametrize('path', ['', '/detail', '/defaults'])
def test_quota_sets(api: ComputeApi, version: str, keys: set[str], path: str) -> None:
    answer = api('GET', f'/os-quota-sets/p1{path}', version=version, status=200)['quota_set']
    assert set(answer) == keys | {'id'}
    assert answer['cores'] == ({'limit': 20, 'in_use': 0, 'reserved': 0} if path == '/detail' else 20)


@pytest.mark.parametrize(('token', 'status'), [(READER, 200), (OTHER, 403), (ADMIN, 200)])
def test_who_sees_quotas(api: ComputeApi, token: str, status: int) -> None:
    api('GET', '/os-quota-sets/p1', token=token, status=status)
    api('GET', '/os-quota-sets/p1/detail', token=token, status=status)
    api('GET', '/os-quota-sets/p1/defaults', token=token, status=200)


def put(api: ComputeApi, status: int, *, version: str | None = None, query: str = '', token: str = ADMIN,
        **values: Any) -> Any:
    return api('PUT', f'/os-quota-sets/p1{query}', {'quota_set': values}, version=version, token=token, status=status)


def test_setting_and_deleting(api: ComputeApi) -> None:
    put(api, 403, token=MEMBER, cores=1)
    answer = put(api, 200, version='2.57', cores=8, ram='-1')['quota_set']
    assert set(answer) == LASTING
    assert (answer['cores'], answer['ram'], answer['instances']) == (8, -1, 10)
    put(api, 200, cores=8)
    assert api('GET', '/limits')['limits']['absolute']['maxTotalCores'] == 8
    assert api('GET', '/os-quota-sets/p1/defaults')['quota_set']['cores'] == 20
    api('DELETE', '/os-quota-sets/p1', token=ADMIN, status=202)
    assert api('GET', '/os-quota-sets/p1')['quota_set']['cores'] == 20


def test_a_limit_below_use_must_be_forced(api: ComputeApi) -> None:
    use(api, cores=5)
    assert put(api, 400, cores=4)['badRequest']['message'] == (
        'Quota limit 4 for cores must be greater than or equal to already used and reserved 5.')
    assert put(api, 200, cores=4, force=True)['quota_set']['cores'] == 4


def test_quotas_of_a_user(api: ComputeApi) -> None:
    put(api, 400, query='?user_id=ann', cores=21)
    put(api, 200, query='?user_id=ann', cores=5)
    assert api('GET', '/os-quota-sets/p1?user_id=ann')['quota_set']['cores'] == 5
    assert api('GET', '/os-quota-sets/p1')['quota_set']['cores'] == 20
    api('DELETE', '/os-quota-sets/p1?user_id=ann', token=ADMIN, status=202)
    assert api('GET', '/os-quota-sets/p1?user_id=ann')['quota_set']['cores'] == 20


def test_an_empty_user_is_none(api: ComputeApi) -> None:
    put(api, 200, query='?user_id=', cores=7)
    put(api, 200, query='?user_id=ann', cores=3)
    for path in ('', '/detail'):
        assert api('GET', f'/os-quota-sets/p1{path}?user_id=') == api('GET', f'/os-quota-sets/p1{path}')
    api('DELETE', '/os-quota-sets/p1?user_id=', token=ADMIN, status=202)
    for query in ('', '?user_id=ann'):
        assert api('GET', f'/os-quota-sets/p1{query}')['quota_set']['cores'] == 20


def test_a_project_has_no_less_than_its_users(api: ComputeApi) -> None:
    for user, cores in (('ann', 5), ('bob', 8)):
        put(api, 200, query=f'?user_id={user}', cores=cores)
    assert put(api, 400, cores=7)['badRequest']['message'] == (
        'Quota limit 7 for cores must be greater than or equal to 8, the limit of a user in the project.')
    assert put(api, 200, cores=8, ram=1)['quota_set']['cores'] == 8
    assert put(api, 200, cores=-1)['quota_set']['cores'] == -1
    put(api, 200, query='?user_id=ann', cores=-1)
    assert 'unlimited' in put(api, 400, cores=2 ** 31 - 1)['badRequest']['message']
    assert put(api, 200, cores=7, force=True)['quota_set']['cores'] == 7
    put(api, 400, query='?user_id=bob', cores=8)
    put(api, 200, query='?user_id=bob', cores=9, force=True)
    api('DELETE', '/os-quota-sets/p1?user_id=ann', token=ADMIN, status=202)
    api('DELETE', '/os-quota-sets/p1?user_id=bob', token=ADMIN, status=202)
    put(api, 200, cores=0)


@pytest.mark.parametrize(('path', 'body'), [
    ('/os-quota-class-sets/{}', 'quota_class_set'), ('/os-quota-sets/{}', 'quota_set'),
    ('/os-quota-sets/p1?user_id={}', 'quota_set')])
@pytest.mark.parametrize('method', ['GET', 'PUT', 'DELETE'])
def test_names_have_255_characters_in_every_operation(api: ComputeApi, method: str, path: str, body: str) -> None:
    if method == 'DELETE' and 'class' in path:
        return
    sent = {body: {'cores': 3}} if method == 'PUT' else None
    for length, status in ((64, 200), (65, 200), (255, 200), (256, 400), (1000, 400)):
        api(method, path.format('n' * length), sent, token=ADMIN,
            status=202 if status == 200 and method == 'DELETE' else status)
        if method == 'PUT' and status == 200:
            assert api('GET', path.format('n' * length), token=ADMIN)[body]['cores'] == 3


@pytest.mark.parametrize('path', ['', '/detail', '/defaults'])
def test_an_id_that_is_too_long_is_refused_by_all(api: ComputeApi, path: str) -> None:
    api('GET', f'/os-quota-sets/{"n" * 256}{path}', token=ADMIN, status=400)
    api('GET', f'/os-quota-sets/p1{path}?user_id={"n" * 256}', token=ADMIN, status=400)


@pytest.mark.parametrize('values', [{'cores': -2}, {'cores': '-2'}, {'cores': 'many'}, {'cores': 2 ** 31}, {'moons': 1},
                                    {'force': 'perhaps'}])
def test_bad_quotas(api: ComputeApi, values: dict[str, Any]) -> None:
    put(api, 400, **values)


def test_windows_of_quota_bodies(api: ComputeApi) -> None:
    put(api, 200, version='2.35', floating_ips=3, networks=3)
    assert api('GET', '/os-quota-sets/p1')['quota_set']['floating_ips'] == 3
    put(api, 400, version='2.36', floating_ips=3)
    put(api, 200, version='2.56', injected_files=3)
    put(api, 400, version='2.57', injected_files=3)


def test_a_project_that_is_not_there(api: ComputeApi) -> None:
    api.cloud.identity.known = set()
    put(api, 400, cores=1)


@pytest.mark.parametrize(('version', 'keys'), [
    ('2.49', (LASTING - {'server_groups', 'server_group_members'}) | NETWORK | INJECTED), ('2.50', LASTING | INJECTED),
    ('2.57', LASTING)])
def test_quota_classes(api: ComputeApi, version: str, keys: set[str]) -> None:
    path = '/os-quota-class-sets/default'
    assert set(api('GET', path, version=version, token=ADMIN, status=200)['quota_class_set']) == keys | {'id'}
    body = {'quota_class_set': {'cores': 7}}
    assert set(api('PUT', path, body, version=version, token=ADMIN, status=200)['quota_class_set']) == keys
    assert api('GET', '/os-quota-sets/p1')['quota_set']['cores'] == 7
    api('GET', path, status=403)
    api('PUT', path, body, status=403)
