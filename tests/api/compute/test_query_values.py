"""Values of queries that are refused, on every list: filters, times, pages, keys and directions to sort by."""

from __future__ import annotations

from typing import Any

import pytest

from compute.objects.nic import FixedIp, Nic
from tests.api.compute.compute_cloud import ADMIN, MEMBER, READER, ComputeApi
from tests.api.compute.serving import LATEST, TIME, Servers, message

EXPRESSIONS = (
    'access_ip_v4', 'access_ip_v6', 'auto_disk_config', 'availability_zone', 'config_drive', 'created_at',
    'description', 'display_description', 'display_name', 'flavor', 'hostname', 'ip', 'ip6', 'kernel_id', 'key_name',
    'launched_at', 'name', 'node', 'power_state', 'progress', 'ramdisk_id', 'reservation_id', 'root_device_name',
    'terminated_at', 'tags', 'tags-any', 'not-tags', 'not-tags-any')
LISTS = ('/servers', '/servers/detail')


def refused(api: ComputeApi, path: str, *, version: str = LATEST, token: str = MEMBER) -> str:
    return message(api('GET', path, version=version, token=token, status=400))


@pytest.mark.parametrize('name', EXPRESSIONS)
@pytest.mark.parametrize('token', [MEMBER, READER, ADMIN], ids=['member', 'reader', 'admin'])
def test_filters_of_servers_are_regular_expressions(api: ComputeApi, name: str, token: str) -> None:
    for path in LISTS:
        for value in ('', '%5B', '(a', '*a', 'a{99999999999}', '(' * 200):
            assert name in refused(api, f'{path}?{name}={value}', token=token)
        assert name in refused(api, f'{path}?{name}=%5B&{name}=1', token=token)


@pytest.mark.parametrize('version', ['2.1', '2.74', '2.104'])
def test_filters_are_checked_at_every_version(api: ComputeApi, version: str) -> None:
    assert 'access_ip_v4' in refused(api, '/servers?access_ip_v4=%5B', version=version)
    assert 'key_name' in refused(api, '/servers?key_name=', version=version)
    if version == '2.1':  # a key that is not known yet is dropped with its value
        assert api('GET', '/servers?tags=%5B&changes-before=x', version='2.25', status=200) == {'servers': []}


@pytest.mark.parametrize('name', ['config_drive', 'launched_at', 'terminated_at', 'created_at', 'power_state',
                                  'progress', 'launch_index', 'access_ip_v4'])
def test_a_value_that_no_server_can_have_finds_none(servers: Servers, name: str) -> None:
    servers.insert()
    for path in LISTS:
        assert servers.api('GET', f'{path}?{name}=x', version=LATEST, token=ADMIN, status=200) == {'servers': []}
        assert len(servers.api('GET', path, version=LATEST, status=200)['servers']) == 1


@pytest.mark.parametrize(('query', 'status'), [('status=DELETED', 403), ('all_tenants=1', 403), ('metadata=%7B', 200)])
def test_a_value_that_no_server_can_have_hides_no_refusal(api: ComputeApi, query: str, status: int) -> None:
    for path in LISTS:
        api('GET', f'{path}?config_drive=x&{query}', version=LATEST, status=status)


@pytest.mark.parametrize(('query', 'name'), [
    ('changes-since=', 'changes-since'), ('changes-before=', 'changes-before'), ('changes-since=x', 'changes-since'),
    ('changes-since=x&changes-since=2026-11-20T12:00:00Z', 'changes-since'), ('limit=', 'limit'),
    ('limit=x&limit=1', 'limit'), ('limit=-1', 'limit'), ('locked=', 'locked'), ('locked_by=nobody', 'locked_by')])
@pytest.mark.parametrize('path', LISTS)
def test_other_values_of_servers(api: ComputeApi, path: str, query: str, name: str) -> None:
    assert name in refused(api, f'{path}?{query}')


SORTED = ('/servers', '/servers/detail', '/flavors', '/flavors/detail')


@pytest.mark.parametrize('version', ['2.1', '2.104'])
@pytest.mark.parametrize('path', SORTED)
@pytest.mark.parametrize(('query', 'words'), [
    ('sort_dir=up', ('sort_dir', 'up')), ('sort_dir=', ('sort_dir',)), ('sort_dir=ASC', ('sort_dir', 'ASC')),
    ('sort_dir=up&sort_dir=asc', ('sort_dir', 'up')), ('sort_dir=asc&sort_dir=up', ('sort_dir', 'up')),
    ('sort_key=created_at&sort_dir=up', ('sort_dir', 'up')),
    ('sort_key=created_at&sort_key=updated_at&sort_dir=asc&sort_dir=up', ('sort_dir', 'up')),
    ('sort_key=created_at&sort_dir=asc&sort_dir=asc', ('sort_dir', '2', '1')),
    ('sort_key=nope', ('sort_key', 'nope')), ('sort_key=', ('sort_key',)),
    ('sort_key=nope&sort_key=created_at', ('sort_key', 'nope'))])
def test_keys_and_directions(api: ComputeApi, path: str, version: str, query: str, words: tuple[str, ...]) -> None:
    told = refused(api, f'{path}?{query}', version=version)
    assert all(word in told for word in words)


@pytest.mark.parametrize('key', ['rxtx_factor', 'disabled'])
def test_keys_that_flavors_lost(api: ComputeApi, key: str) -> None:
    for path in ('/flavors', '/flavors/detail'):
        api('GET', f'{path}?sort_key={key}', version='2.101', status=200)
        assert key in refused(api, f'{path}?sort_key={key}', version='2.102')


def test_a_key_without_a_direction_takes_the_first(servers: Servers) -> None:
    for name, zone in (('a', 'y'), ('b', 'y'), ('c', 'x')):
        servers.insert(name=name, availability_zone=zone)
    query = 'sort_key=availability_zone&sort_key=display_name&sort_key=uuid'
    def names(directions: str) -> list[str]:
        found = servers.api('GET', f'/servers?{query}{directions}', status=200)['servers']
        return [server['name'] for server in found]
    assert names('&sort_dir=asc&sort_dir=desc') == ['c', 'b', 'a']
    assert names('&sort_dir=asc') == ['c', 'a', 'b']
    assert names('') == ['b', 'a', 'c']


@pytest.mark.parametrize('path', ['/os-hypervisors', '/os-hypervisors/detail'])
@pytest.mark.parametrize('value', ['', '%5B', 'h%20', 'h*', '%C3%A4', 'h' * 256])
def test_a_broken_pattern_of_hypervisors(api: ComputeApi, path: str, value: str) -> None:
    api.add_host('h1')
    assert 'hypervisor_hostname_pattern' in refused(api, f'{path}?hypervisor_hostname_pattern={value}', token=ADMIN,
                                                    version='2.53')
    api('GET', f'{path}?hypervisor_hostname_pattern=nope', version='2.53', token=ADMIN, status=404)
    api('GET', f'{path}?hypervisor_hostname_pattern=h', version='2.53', token=ADMIN, status=200)


PAGED = ('/servers', '/servers/detail', '/flavors', '/flavors/detail', '/os-keypairs', '/os-server-groups',
         '/os-hypervisors', '/os-hypervisors/detail', '/operations')


@pytest.mark.parametrize('path', PAGED)
@pytest.mark.parametrize('value', ['', 'x', '-1', '1.0', '+1', '1_0', '%D9%A3'])
def test_limits_of_every_list(api: ComputeApi, path: str, value: str) -> None:
    assert 'limit' in refused(api, f'{path}?limit={value}', token=ADMIN, version='2.75')
    assert 'limit' in refused(api, f'{path}?limit={value}&limit=1', token=ADMIN, version='2.75')


@pytest.mark.parametrize(('query', 'name'), [
    ('minRam=', 'minRam'), ('minRam=x', 'minRam'), (f'minRam={10 ** 30}', 'minRam'),
    ('minDisk=1.5', 'minDisk'), ('minDisk=1_0', 'minDisk'),
    ('minRam=x&minRam=1', 'minRam'), ('is_public=perhaps', 'is_public'), ('is_public=', 'is_public')])
@pytest.mark.parametrize('version', ['2.1', '2.104'])
def test_filters_of_flavors(api: ComputeApi, query: str, name: str, version: str) -> None:
    for path in ('/flavors', '/flavors/detail'):
        assert name in refused(api, f'{path}?{query}', token=ADMIN, version=version)
    assert api('GET', '/flavors?minRam=9999999999&minDisk=-1', version=version, status=200) == {'flavors': []}


@pytest.mark.parametrize(('query', 'name'), [
    ('limit=', 'limit'), ('changes-since=', 'changes-since'), ('changes-before=', 'changes-before'),
    ('changes-since=x', 'changes-since'), ('changes-before=2026-13-01', 'changes-before')])
def test_lists_of_one_server(servers: Servers, query: str, name: str) -> None:
    uuid = servers.insert().uuid
    assert name in refused(servers.api, f'/servers/{uuid}/os-instance-actions?{query}')
    if name == 'limit':
        assert name in refused(servers.api, f'/servers/{uuid}/operations?{query}')
        assert name in refused(servers.api, f'/servers/{uuid}/os-volume_attachments?{query}')


@pytest.mark.parametrize('name', ['tenant_id', 'project_id'])
def test_the_project_is_a_filter_with_all_tenants_only(servers: Servers, name: str) -> None:
    for each, project in (('one', 'p1'), ('two', 'p2'), ('own', 'p0')):
        servers.insert(name=each, project_id=project)
    def found(query: str, token: str = ADMIN) -> list[str]:
        answers: list[Any] = [servers.api('GET', f'{path}?{query}', token=token, status=200)['servers']
                              for path in LISTS]
        names = [[server['name'] for server in answer] for answer in answers]
        assert names[0] == names[1]
        return names[0]
    assert found('') == found(f'{name}=p2') == found(f'{name}=p2&all_tenants=0') == ['own']
    assert found(f'{name}=p2&all_tenants=1') == ['two']
    assert found(f'{name}=p2', MEMBER) == ['one']


@pytest.mark.parametrize(('query', 'name'), [
    ('access_ip_v6=FE80:0:0:0:0:0:0:1', 'six'), ('access_ip_v6=fe80::1', 'six'), ('access_ip_v4=192.0.2.7', 'four'),
    ('ip6=2001:DB8:0:0:0:0:0:7', 'six'), ('ip6=2001:db8::7', 'six'), ('ip=10.1.2.3', 'four')])
def test_addresses_are_compared_in_their_canonical_form(servers: Servers, query: str, name: str) -> None:
    for each, access, address, version in (('four', {'access_ip_v4': '192.0.2.7'}, '10.1.2.3', 4),
                                           ('six', {'access_ip_v6': 'fe80::1'}, '2001:db8::7', 6)):
        servers.insert(name=each, created_at=TIME, **access, nics=(Nic(
            port_id=each, network_id='n', mac='m', fixed_ips=(FixedIp(
                address=address, subnet_id='s', version=version),)),))
    found = servers.api('GET', f'/servers?{query}&all_tenants=1', version=LATEST, token=ADMIN, status=200)['servers']
    assert [server['name'] for server in found] == [name]
