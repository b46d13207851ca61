"""Lists of servers when those who ask mean no good: expressions that never end, markers that are others' servers."""

from __future__ import annotations

import pytest

from tests.api.compute.compute_cloud import ADMIN, ComputeApi
from tests.api.compute.serving import Servers, message


@pytest.mark.parametrize('pattern', ['(a%2B)%2B$', '^(a|aa)%2B$', 'a?' * 60 + 'a' * 60 + '$', '(.*)(.*)(.*)(.*)[0-9]$'])
def test_no_expression_keeps_the_api_busy(servers: Servers, api: ComputeApi, pattern: str) -> None:
    servers.insert(name='a' * 200 + '!')
    assert api('GET', f'/servers?name={pattern}', status=200)['servers'] == []


@pytest.mark.parametrize('pattern', ['(a)%5C1', 'a{999}', '(%3F=a)', 'x' * 300])
def test_what_cannot_be_searched_for_is_told(api: ComputeApi, pattern: str) -> None:
    assert 'name' in str(api('GET', f'/servers?name={pattern}', status=400))


def test_a_marker_of_another_project_is_none(servers: Servers, api: ComputeApi) -> None:
    own, foreign = servers.insert(), servers.insert(project_id='p2')
    api('GET', f'/servers?marker={own.uuid}', status=200)
    assert foreign.uuid in str(api('GET', f'/servers?marker={foreign.uuid}', status=400))
    api('GET', f'/servers?all_tenants=1&marker={foreign.uuid}', token=ADMIN, status=200)


def test_a_sort_key_that_is_repeated_counts_once(servers: Servers, api: ComputeApi) -> None:
    marker = servers.insert(name='a')
    servers.insert(name='b')
    keys = 'sort_key=display_name&sort_dir=asc&' + '&'.join(['sort_key=display_name'] * 800)
    found = api('GET', f'/servers?{keys}&sort_dir=desc&marker={marker.uuid}', status=200)['servers']
    assert [server['name'] for server in found] == ['b']


def test_nobody_sorts_by_more_than_ten_keys(api: ComputeApi) -> None:
    keys = ['uuid', 'created_at', 'updated_at', 'launched_at', 'terminated_at', 'display_name', 'vm_state',
            'power_state', 'task_state', 'root_device_name', 'access_ip_v4']
    api('GET', '/servers?' + '&'.join(f'sort_key={key}' for key in keys[:10]), status=200)
    answer = api('GET', '/servers?' + '&'.join(f'sort_key={key}' for key in keys), status=400)
    assert '11 sort keys' in message(answer) and '10' in message(answer)
