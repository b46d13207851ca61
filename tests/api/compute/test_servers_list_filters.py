"""Every filter of GET /servers that is accepted has an effect: a row for each, with what an administrator finds."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from compute.api.servers.query import QUERY
from compute.objects.image import Image
from compute.objects.nic import FixedIp, Nic
from tests.api.compute.compute_cloud import ADMIN, MEMBER, ComputeApi
from tests.api.compute.serving import LATEST, TIME, Servers, message

GROUP, KERNEL, RAMDISK, UUID = (f'{digit * 8}-0000-4000-8000-000000000000' for digit in 'abcd')
LATER = TIME.replace(hour=20)
# What the server "odd" has and "plain" has not.
ODD: dict[str, Any] = {
    'uuid': UUID, 'project_id': 'p2', 'user_id': 'eve', 'hostname': 'odd-host', 'description': 'strange', 'host': 'h2',
    'node': 'n2', 'vm_state': 'paused', 'task_state': 'unpausing', 'power_state': 3, 'progress': 7, 'key_name': 'key',
    'availability_zone': 'far', 'reservation_id': 'r-2', 'launch_index': 4, 'locked': True, 'locked_by': 'admin',
    'config_drive': True, 'access_ip_v4': '192.0.2.9', 'access_ip_v6': '2001:db8::9', 'metadata': {'k': 'v'},
    'tags': ('red',), 'created_at': LATER, 'updated_at': LATER, 'launched_at': LATER, 'terminated_at': LATER,
    'disk_config': 'AUTO', 'root_device_name': '/dev/sda',
    'image': Image(id=KERNEL, name='i', properties={'kernel_id': KERNEL, 'ramdisk_id': RAMDISK}),
    'nics': (Nic(port_id=UUID, network_id=UUID, network_name='net1', mac='fa:16:3e:00:00:02', security_groups=(GROUP,),
                 fixed_ips=(FixedIp(address='10.9.0.9', subnet_id=UUID),
                            FixedIp(address='fd00::9', subnet_id=UUID, version=6))),)}
AT = LATER.isoformat() + 'Z'
K = quote(json.dumps({'k': 'v'}))
L = quote(json.dumps({'k': 'w'}))
# filter: a value that fits "odd" only, and one that fits no server (None: no such value).
FOUND: dict[str, tuple[str, str | None]] = {
    'access_ip_v4': ('192.0.2.9', '192.0.2.8'), 'access_ip_v6': ('2001:db8::9', '2001:db8::8'),
    'auto_disk_config': ('True', 'strange'), 'availability_zone': ('far', 'near'), 'changes-before': (AT, '2001-01-01'),
    'changes-since': (AT, '2099-01-01T00:00:00Z'), 'config_drive': ('True', 'strange'),
    'created_at': (AT, '2001-01-01T00:00:00Z'), 'description': ('strange', 'normal'),
    'display_description': ('strange', 'normal'), 'display_name': ('odd', 'even'), 'host': ('h2', 'h3'),
    'hostname': ('odd-host', 'even-host'), 'image': (KERNEL, RAMDISK), 'image_ref': (KERNEL, RAMDISK),
    'ip': ('10.9.0.9', '10.8'), 'ip6': ('fd00::9', 'fd01'), 'kernel_id': (KERNEL, RAMDISK), 'key_name': ('key', 'lock'),
    'launch_index': ('4', '5'), 'launched_at': (AT, '2001-01-01T00:00:00Z'), 'locked': ('True', None),
    'locked_by': ('admin', 'owner'), 'metadata': (K, L), 'name': ('odd', 'even'), 'node': ('n2', 'n3'),
    'power_state': ('3', '4'), 'progress': ('7', '8'), 'project_id': ('p2', 'p3'), 'ramdisk_id': (RAMDISK, KERNEL),
    'reservation_id': ('r-2', 'r-3'), 'root_device_name': ('/dev/sda', '/dev/sdb'), 'security_groups': (GROUP, UUID),
    'status': ('PAUSED', 'SUSPENDED'), 'tags': ('red', 'blue'), 'tags-any': ('red,green', 'blue'),
    'task_state': ('unpausing', 'rebuilding'), 'tenant_id': ('p2', 'p3'), 'terminated_at': (AT, '2001-01-01T00:00:00Z'),
    'user_id': ('eve', 'adam'), 'uuid': (UUID, KERNEL), 'vm_state': ('paused', 'rescued')}
# Filters with effects of another kind: the query and what is found.
OTHERS: dict[str, list[tuple[str, list[str]]]] = {
    'all_tenants': [('all_tenants=1', ['odd', 'plain']), ('all_tenants=0', [])],
    'deleted': [('all_tenants=1&deleted=True', []), ('all_tenants=1&deleted=False', ['odd', 'plain'])],
    'flavor': [('all_tenants=1&flavor=none', [])],
    'not-tags': [('all_tenants=1&not-tags=red', ['plain'])],
    'not-tags-any': [('all_tenants=1&not-tags-any=red', ['plain'])],
    'soft_deleted': [('all_tenants=1&soft_deleted=True', []), ('all_tenants=1&soft_deleted=0', ['odd', 'plain']),
                     ('all_tenants=1&soft_deleted=1&deleted=1', [])],
    **{name: [(f'all_tenants=1&{name}=x', [])] for name in (
        'block_device_mapping', 'info_cache', 'pci_devices', 'services', 'system_metadata')}}
PAGES = {'limit', 'marker', 'sort_key', 'sort_dir'}
MORE = [
    ('auto_disk_config=auto', ['odd']), ('auto_disk_config=0', ['plain']), ('auto_disk_config=MANUAL', ['plain']),
    ('locked_by=owner', []), ('locked=False', ['plain']), ('changes-before=2026-11-20T12:00:00Z', ['plain']),
    (f'security_groups={GROUP}&kernel_id={KERNEL}', ['odd']), (f'security_groups={GROUP}&host=h1', []),
    (f'kernel_id={KERNEL}&limit=1', ['odd'])]


@pytest.fixture
def two(servers: Servers) -> ComputeApi:
    """The servers "plain" of p1 and "odd" of p2."""
    servers.insert(name='plain', hostname='plain')
    servers.insert(name='odd', **ODD)
    return servers.api


def names(api: ComputeApi, query: str, token: str = ADMIN) -> list[str]:
    """Return the names in a list, which both of its forms have."""
    found = [[server['name'] for server in api('GET', f'{path}?{query}', version=LATEST, token=token, status=200)[
        'servers']] for path in ('/servers', '/servers/detail')]
    assert found[0] == found[1]
    return found[0]


def test_the_tables_have_every_filter() -> None:
    assert {*FOUND, *OTHERS, *PAGES} == {name for name, _ in QUERY.table.rows()}


@pytest.mark.parametrize('name', FOUND)
def test_a_filter_finds_what_fits_it(two: ComputeApi, name: str) -> None:
    right, wrong = FOUND[name]
    every = ['odd', 'plain'] if name == 'changes-before' else ['odd']
    assert names(two, f'all_tenants=1&{name}={right}') == every
    if wrong is not None:
        assert names(two, f'all_tenants=1&{name}={wrong}') == []


@pytest.mark.parametrize(('query', 'expected'), [
    *(row for rows in OTHERS.values() for row in rows), *((f'all_tenants=1&{query}', found) for query, found in MORE)])
def test_other_effects(two: ComputeApi, query: str, expected: list[str]) -> None:
    assert names(two, query) == expected


@pytest.mark.parametrize('name', sorted({
    'auto_disk_config', 'kernel_id', 'ramdisk_id', 'root_device_name', 'locked_by', 'security_groups', 'soft_deleted',
    'block_device_mapping', 'info_cache', 'pci_devices', 'services', 'system_metadata', 'project_id'}))
def test_filters_for_administrators_are_ignored_for_others(two: ComputeApi, name: str) -> None:
    assert names(two, f'{name}=admin', MEMBER) == ['plain']


@pytest.mark.parametrize(('query', 'words'), [
    ('security_groups=web', 'security_groups'), ('soft_deleted=perhaps', 'soft_deleted'),
    ('locked_by=eve', 'locked_by'), ('services=x&status=nope', 'nope')])
def test_values_that_cannot_be_compared_are_refused(two: ComputeApi, query: str, words: str) -> None:
    assert words in message(two('GET', f'/servers?{query}', version=LATEST, token=ADMIN, status=400))


def test_a_lock_is_found_by_who_made_it(servers: Servers) -> None:
    mine, foreign = servers.insert(name='a'), servers.insert(name='b')
    servers.act(mine.uuid, 'lock')
    servers.act(foreign.uuid, 'lock', token=ADMIN)
    assert names(servers.api, 'all_tenants=1&locked_by=owner') == ['a']
    assert names(servers.api, 'all_tenants=1&locked_by=admin') == ['b']
    servers.act(foreign.uuid, 'unlock', token=ADMIN)
    assert names(servers.api, 'all_tenants=1&locked_by=admin') == []
