"""Server groups, actions of servers and the list of extensions over HTTP."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from compute.db import instances, operations, quotas
from compute.objects.flavor import Flavor
from compute.objects.instance import Instance
from compute.objects.operation import FAILED, Operation, OperationError
from compute.objects.value import now
from tests.api.compute.compute_cloud import ADMIN, MEMBER, OTHER, READER, ComputeApi

UUID = '10000000-0000-4000-8000-000000000001'
REQUESTS = [f'req-{number}0000000-0000-4000-8000-000000000000' for number in (1, 2, 3)]


def group(api: ComputeApi, version: str, status: int = 200, *, token: str = MEMBER, **body: Any) -> Any:
    return api('POST', '/os-server-groups', {'server_group': {'name': 'g', **body}}, version=version, token=token,
               status=status)


@pytest.mark.parametrize(('version', 'keys'), [
    ('2.12', {'id', 'name', 'policies', 'metadata', 'members'}),
    ('2.13', {'id', 'name', 'policies', 'metadata', 'members', 'project_id', 'user_id'}),
    ('2.63', {'id', 'name', 'policies', 'metadata', 'members', 'project_id', 'user_id'}),
    ('2.64', {'id', 'name', 'policy', 'rules', 'members', 'project_id', 'user_id'})])
def test_shapes_of_groups(api: ComputeApi, version: str, keys: set[str]) -> None:
    asked = {'policy': 'affinity'} if version == '2.64' else {'policies': ['affinity']}
    made = group(api, version, **asked)['server_group']
    assert set(made) == keys
    assert {name: made[name] for name in asked} == asked
    assert api('GET', f'/os-server-groups/{made["id"]}', version=version, status=200)['server_group'] == made
    assert api('GET', '/os-server-groups', version=version, status=200)['server_groups'] == [made]


def test_windows_of_group_bodies(api: ComputeApi) -> None:
    group(api, '2.14', 400, policies=['soft-affinity'])
    group(api, '2.15', 200, policies=['soft-affinity'])
    group(api, '2.15', 400, policies=['affinity', 'soft-affinity'])
    group(api, '2.15', 400, policies=[])
    group(api, '2.64', 400, policies=['affinity'])
    group(api, '2.63', 400, policy='affinity')
    group(api, '2.64', 400, policy='friendship')
    group(api, '2.64', 400, policy='affinity', rules={'max_server_per_host': 2})
    group(api, '2.64', 400, policy='anti-affinity', rules={'max_server_per_host': 0})
    group(api, '2.64', 400, policy='anti-affinity', rules={'max_server_per_host': '0'})
    made = group(api, '2.64', 200, policy='anti-affinity', rules={'max_server_per_host': '3'})['server_group']
    assert made['rules'] == {'max_server_per_host': 3}


def test_whose_groups(api: ComputeApi) -> None:
    key = group(api, '2.64', policy='affinity')['server_group']['id']
    assert api('GET', '/os-server-groups', token=OTHER) == {'server_groups': []}
    api('GET', f'/os-server-groups/{key}', token=OTHER, status=404)
    api('DELETE', f'/os-server-groups/{key}', token=OTHER, status=404)
    api('DELETE', f'/os-server-groups/{key}', token=READER, status=403)
    group(api, '2.64', 403, token=READER, policy='affinity')
    assert api('GET', '/os-server-groups', token=ADMIN) == {'server_groups': []}
    assert len(api('GET', '/os-server-groups?all_projects=True', token=ADMIN)['server_groups']) == 1
    assert api('GET', '/os-server-groups?all_projects=True', token=OTHER) == {'server_groups': []}
    assert api('DELETE', f'/os-server-groups/{key}', status=204) is None
    api('GET', f'/os-server-groups/{key}', status=404)


def test_limit_and_offset_of_groups(api: ComputeApi) -> None:
    keys = [group(api, '2.64', policy='affinity')['server_group']['id'] for _ in range(3)]
    found = api('GET', '/os-server-groups?limit=1&offset=1', status=200)['server_groups']
    assert [one['id'] for one in found] == keys[1:2]


def test_quota_of_groups(api: ComputeApi) -> None:
    api.conf.set_override('server_groups', 1, 'quota')
    group(api, '2.64', policy='affinity')
    answer = group(api, '2.64', 403, policy='affinity')
    assert answer['forbidden']['message'] == 'Quota exceeded, too many server groups.'
    assert api('GET', '/limits')['limits']['absolute']['totalServerGroupsUsed'] == 1


def test_a_users_quota_of_groups_does_not_lift_the_projects(api: ComputeApi) -> None:
    api.conf.set_override('server_groups', 1, 'quota')
    api.db.transaction(lambda connection: quotas.set_limit(
        connection, 'p1', 'server_groups', 5, 'ann'))
    group(api, '2.64', policy='affinity')
    group(api, '2.64', 403, policy='affinity')


@pytest.fixture
def acted(api: ComputeApi) -> ComputeApi:
    """A server of p1 with three actions, the first of which has a step that failed."""
    time = now()
    instance = Instance(uuid=UUID, project_id='p1', user_id='ann', name='vm', created_at=time, updated_at=time,
                        flavor=Flavor(flavorid='1', name='f', vcpus=1, memory_mb=1))
    def write(connection: Any) -> None:
        instances.insert(connection, instance)
        made = [operations.insert(connection, Operation(
            request_id=request_id, kind=kind, instance_uuid=UUID, project_id='p1', user_id='ann',
            deadline_at=time + datetime.timedelta(hours=1))) for request_id, kind in
            zip(REQUESTS, ('create', 'stop', 'start'), strict=True)]
        operations.begin_stage(connection, made[0], 'spawning', 'h1')
        operations.end(connection, made[0], FAILED, OperationError(message='no room'))
    api.db.transaction(write)
    return api


def actions(api: ComputeApi, version: str, query: str = '', **more: Any) -> Any:
    return api('GET', f'/servers/{UUID}/os-instance-actions{query}', version=version, **more)


def test_actions(acted: ComputeApi) -> None:
    found = actions(acted, '2.57', status=200)['instanceActions']
    assert [one['action'] for one in found] == ['start', 'stop', 'create']
    assert set(found[0]) == {'action', 'instance_uuid', 'request_id', 'user_id', 'project_id', 'start_time', 'message'}
    assert (found[0]['message'], found[2]['message']) == (None, 'Error')
    datetime.datetime.strptime(found[0]['start_time'], '%Y-%m-%dT%H:%M:%S.000000')
    assert 'updated_at' in actions(acted, '2.58')['instanceActions'][0]
    actions(acted, '2.1', token=OTHER, status=404)


def test_pages_of_actions(acted: ComputeApi) -> None:
    assert len(actions(acted, '2.57', '?limit=2')['instanceActions']) == 3
    first = actions(acted, '2.58', '?limit=2', status=200)
    assert len(first['instanceActions']) == 2
    path = first['links'][0]['href'].removeprefix('http://localhost')
    rest = acted('GET', path, version='2.58', prefix='')
    assert [one['request_id'] for one in rest['instanceActions']] == REQUESTS[:1]
    actions(acted, '2.58', '?marker=nothing', status=400)
    actions(acted, '2.58', '?nonsense=1', status=400)
    assert actions(acted, '2.58', '?changes-since=2999-01-01T00:00:00Z')['instanceActions'] == []
    assert len(actions(acted, '2.66', '?changes-before=2999-01-01T00:00:00Z')['instanceActions']) == 3
    actions(acted, '2.58', '?changes-since=yesterday', status=400)
    actions(acted, '2.65', '?changes-before=2999-01-01T00:00:00Z', status=400)


def test_a_limit_of_0_is_the_largest_page(acted: ComputeApi) -> None:
    acted.conf.set_override('max_limit', 2, 'api')
    first = actions(acted, '2.58', '?limit=0', status=200)
    assert len(first['instanceActions']) == 2
    rest = acted('GET', first['links'][0]['href'].removeprefix('http://localhost'), version='2.58', prefix='')
    assert len(rest['instanceActions']) == 1 and 'links' not in rest


@pytest.mark.parametrize(('version', 'token', 'keys'), [
    ('2.50', MEMBER, None),
    ('2.50', ADMIN, {'event', 'start_time', 'finish_time', 'result', 'traceback'}),
    ('2.51', MEMBER, {'event', 'start_time', 'finish_time', 'result'}),
    ('2.62', MEMBER, {'event', 'start_time', 'finish_time', 'result', 'hostId'}),
    ('2.62', ADMIN, {'event', 'start_time', 'finish_time', 'result', 'hostId', 'host', 'traceback'}),
    ('2.84', ADMIN, {'event', 'start_time', 'finish_time', 'result', 'hostId', 'host', 'traceback', 'details'})])
def test_steps_of_an_action(acted: ComputeApi, version: str, token: str, keys: set[str] | None) -> None:
    shown = actions(acted, version, f'/{REQUESTS[0]}', token=token, status=200)['instanceAction']
    if keys is None:
        assert 'events' not in shown
        return
    event, = shown['events']
    assert set(event) == keys
    assert (event['event'], event['result']) == ('spawning', 'Error')
    assert event.get('details', 'no room [internal]') == 'no room [internal]'
    assert event.get('host', 'h1') == 'h1'


def test_an_action_that_is_not_there(acted: ComputeApi) -> None:
    actions(acted, '2.1', '/req-9', status=404)


def test_deleted_servers_from_2_21(acted: ComputeApi) -> None:
    acted.db.transaction(lambda connection: instances.mark_deleted(connection, UUID))
    actions(acted, '2.20', status=404)
    assert len(actions(acted, '2.21', status=200)['instanceActions']) == 3


def test_extensions(api: ComputeApi) -> None:
    found = api('GET', '/extensions', status=200)['extensions']
    assert set(found[0]) == {'alias', 'name', 'description', 'links', 'namespace', 'updated'}
    aliases = [extension['alias'] for extension in found]
    assert {'OS-DCF', 'OS-EXT-AZ', 'OS-EXT-SRV-ATTR', 'OS-EXT-STS', 'OS-SCH-HNT', 'OS-SRV-USG', 'os-keypairs'} <= set(
        aliases) and len(aliases) == len(set(aliases))
    for extension in found:
        assert api('GET', f'/extensions/{extension["alias"]}', status=200) == {'extension': extension}
    for alias in ('os-cells', 'os-agents', 'servers', 'flavors', 'os-scheduler-hints', 'os-server-tags'):
        api('GET', f'/extensions/{alias}', status=404)
