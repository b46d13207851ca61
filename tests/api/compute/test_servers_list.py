"""GET /servers and /servers/detail: filters, who may use them, order, pages."""

from __future__ import annotations

import datetime
import json
from typing import Any
from urllib.parse import quote

import pytest

from compute.objects.nic import FixedIp, Nic
from tests.api.compute.compute_cloud import ADMIN, MEMBER, NOBODY, OTHER, READER
from tests.api.compute.serving import LATEST, TIME, Servers, message

HOUR = datetime.timedelta(hours=1)


def names(servers: Servers, query: str = '', *, version: str = LATEST, token: str = MEMBER, status: int = 200,
          path: str = '/servers') -> Any:
    answer = servers.api('GET', f'{path}?{query}', version=version, token=token, status=status)
    return [server['name'] for server in answer['servers']] if status == 200 else message(answer)


@pytest.fixture
def some(servers: Servers) -> Servers:
    """Servers a to d of p1 (d stopped on h2), x of p2, gone of p1 that was deleted."""
    for number, (name, values) in enumerate({
            'a': {'tags': ('red',), 'metadata': {'k': 'v'}}, 'b': {'tags': ('red', 'blue'), 'locked': True},
            'c': {'vm_state': 'active', 'task_state': 'rebooting', 'key_name': 'key', 'user_id': 'eve'},
            'd': {'vm_state': 'stopped', 'host': 'h2', 'node': 'h2', 'power_state': 4, 'config_drive': True},
            'x': {'project_id': 'p2'}, 'gone': {'deleted': True, 'vm_state': 'deleted'}}.items()):
        time = TIME + number * HOUR
        servers.insert(**{'name': name, 'hostname': f'host-{name}', 'created_at': time, 'updated_at': time,
                          'launched_at': time, **values})
    return servers


FILTERS: list[tuple[str, str, list[str]]] = [
    ('', MEMBER, ['d', 'c', 'b', 'a']), ('name=a', MEMBER, ['a']), ('name=%5EA$', MEMBER, ['a']),
    ('name=(a%2B)%2B$', MEMBER, ['a']), ('name=a*a*b', MEMBER, ['b']),
    ('status=ACTIVE', MEMBER, ['c', 'b', 'a']), ('status=shutoff', MEMBER, ['d']),
    ('status=ACTIVE&status=SHUTOFF', MEMBER, ['d', 'c', 'b', 'a']), ('status=REBOOT', MEMBER, ['c']),
    ('tags=red', MEMBER, ['b', 'a']), ('tags=red,blue', MEMBER, ['b']), ('tags-any=blue,green', MEMBER, ['b']),
    ('not-tags=red,blue', MEMBER, ['d', 'c', 'a']), ('not-tags-any=red', MEMBER, ['d', 'c']),
    ('locked=true', MEMBER, ['b']), ('locked=False', MEMBER, ['d', 'c', 'a']), ('key_name=key', MEMBER, ['c']),
    ('vm_state=stopped', MEMBER, ['d']), ('task_state=rebooting', MEMBER, ['c']), ('power_state=4', MEMBER, ['d']),
    ('config_drive=True', MEMBER, ['d']), ('user_id=eve', MEMBER, ['c']), ('hostname=host-b', MEMBER, ['b']),
    ('availability_zone=nova', MEMBER, ['d', 'c', 'b', 'a']), ('host=h2', MEMBER, ['d', 'c', 'b', 'a']),
    ('all_tenants=0', MEMBER, ['d', 'c', 'b', 'a']), ('deleted=True', MEMBER, ['d', 'c', 'b', 'a']),
    ('launched_at=2026-11-20T13:00:00Z', MEMBER, ['b']), ('changes-since=2026-11-20T14:00:00Z', MEMBER,
                                                           ['gone', 'd', 'c']),
    ('changes-before=2026-11-20T13:00:00Z', MEMBER, ['b', 'a']),
    ('changes-since=2026-11-20T13:00:00Z&changes-before=2026-11-20T14:00:00Z', MEMBER, ['c', 'b']),
    ('_unheard=1', MEMBER, ['d', 'c', 'b', 'a']), ('project_id=p2', MEMBER, ['d', 'c', 'b', 'a']),
    ('flavor=nope', MEMBER, []), ('', OTHER, ['x']), ('', ADMIN, []),
    ('all_tenants=1', ADMIN, ['x', 'd', 'c', 'b', 'a']),
    ('all_tenants', ADMIN, ['x', 'd', 'c', 'b', 'a']), ('tenant_id=p2', ADMIN, []),
    ('all_tenants=1&tenant_id=p2', ADMIN, ['x']),
    ('all_tenants=True&project_id=p1&deleted=False', ADMIN, ['d', 'c', 'b', 'a']),
    ('all_tenants=1&host=h2', ADMIN, ['d']),
    ('all_tenants=1&deleted=perhaps', ADMIN, ['x', 'd', 'c', 'b', 'a']),
    ('all_tenants=1&deleted=True', ADMIN, ['gone']),
    ('all_tenants=1&status=DELETED', ADMIN, ['gone']), ('all_tenants=1&name=.*&deleted=true', ADMIN, ['gone']),
    ('all_tenants=1&metadata=' + quote(json.dumps({'k': 'v'})), ADMIN, ['a']),
    ('all_tenants=1&node=h2', ADMIN, ['d']), ('all_tenants=1&description=x', ADMIN, [])]


@pytest.mark.parametrize(('query', 'token', 'expected'), FILTERS,
                         ids=[f'{query}-{token.split(":")[0]}'.replace(':', '-') for query, token, _ in FILTERS])
def test_filters(some: Servers, query: str, token: str, expected: list[str]) -> None:
    for path in ('/servers', '/servers/detail'):
        assert names(some, query, token=token, path=path) == expected


@pytest.mark.parametrize(('query', 'since'), [
    ('tags=red', '2.26'), ('changes-before=2026-11-20T13:00:00Z', '2.66'), ('locked=True', '2.73'),
    ('vm_state=stopped', '2.83'), ('key_name=key', '2.83'), ('user_id=eve', '2.83'), ('hostname=host-b', '2.90')])
def test_when_filters_opened(some: Servers, query: str, since: str) -> None:
    older = f'2.{int(since[2:]) - 1}'
    ignored = older < '2.75' or int(since[2:]) >= 83
    assert len(names(some, query, version=since)) < 4
    if ignored:
        assert names(some, query, version=older) == ['d', 'c', 'b', 'a']


@pytest.mark.parametrize(('query', 'status', 'token', 'words'), [
    ('all_tenants=1', 403, MEMBER, 'get_all_tenants'), ('all_tenants=perhaps', 400, ADMIN, 'all_tenants'),
    ('limit=x', 400, MEMBER, 'limit'), ('limit=-1', 400, MEMBER, 'limit'), ('marker=nope', 400, MEMBER, 'nope'),
    ('sort_key=nope', 400, MEMBER, 'nope'), ('sort_key=name&sort_dir=up', 400, MEMBER, 'sort'),
    ('sort_key=uuid&sort_dir=up', 400, MEMBER, 'sort_dir'), ('sort_key=host', 403, MEMBER, 'host'),
    ('status=DELETED', 403, MEMBER, 'deleted'), ('status=nope', 400, MEMBER, 'nope'),
    ('changes-since=yesterday', 400, MEMBER, 'changes-since'), ('changes-before=x', 400, MEMBER, 'changes-before'),
    ('changes-since=2026-11-21T00:00:00Z&changes-before=2026-11-20T00:00:00Z', 400, MEMBER, 'changes-since'),
    ('locked=perhaps', 400, MEMBER, 'locked'),
    ('nonsense=1', 400, MEMBER, 'nonsense'), ('name=(a', 400, MEMBER, 'name'), ('metadata=%7B', 400, ADMIN, 'metadata'),
    ('metadata=%5B1%5D', 400, ADMIN, 'metadata'),
    ('', 403, NOBODY, 'servers:index')])
def test_queries_that_are_refused(some: Servers, query: str, status: int, token: str, words: str) -> None:
    assert words in names(some, query, status=status, token=token)


@pytest.mark.parametrize(('query', 'strict'), [('nonsense=1', '2.75'), ('tags=red', '2.26')])
def test_unknown_keys_were_dropped(some: Servers, query: str, strict: str) -> None:
    assert len(names(some, query, version='2.1')) == 4
    assert names(some, query, version='2.74' if strict == '2.75' else '2.25') == ['d', 'c', 'b', 'a']


def test_unknown_statuses(some: Servers) -> None:
    assert names(some, 'status=nope', version='2.37') == []
    assert 'nope' in names(some, 'status=nope', version='2.38', status=400)
    assert names(some, 'status=nope&status=SHUTOFF', version='2.37') == ['d']


def test_locked_is_a_sort_key_from_2_73(some: Servers) -> None:
    assert names(some, 'sort_key=locked', version='2.73')[0] == 'b'
    assert 'locked' in names(some, 'sort_key=locked', version='2.72', status=400)


@pytest.mark.parametrize(('query', 'expected'), [
    ('sort_key=display_name', ['d', 'c', 'b', 'a']), ('sort_key=display_name&sort_dir=asc', ['a', 'b', 'c', 'd']),
    ('sort_key=created_at&sort_key=display_name&sort_key=uuid&sort_dir=asc', ['a', 'b', 'c', 'd']),
    ('sort_dir=asc', ['a', 'b', 'c', 'd']), ('sort_key=task_state&sort_dir=asc', ['a', 'b', 'd', 'c']),
    ('sort_key=key_name&sort_dir=desc', ['c', 'd', 'b', 'a'])])
def test_order(some: Servers, query: str, expected: list[str]) -> None:
    assert names(some, query) == expected
    found: list[str] = []
    path = f'/servers?{query}&limit=1'
    for _ in range(5):
        page = some.api('GET', path, version=LATEST, status=200)
        found += [server['name'] for server in page['servers']]
        if 'servers_links' not in page:
            break
        path = page['servers_links'][0]['href'].removeprefix('http://localhost/v2.1')
    assert found == expected


def test_pages(some: Servers) -> None:
    page = some.api('GET', '/servers/detail?limit=2&status=ACTIVE', version=LATEST)
    assert [server['name'] for server in page['servers']] == ['c', 'b']
    link, = page['servers_links']
    assert link['rel'] == 'next' and link['href'].startswith('http://localhost/v2.1/servers/detail?')
    assert 'status=ACTIVE' in link['href'] and f'marker={page["servers"][1]["id"]}' in link['href']
    rest = some.api.send('GET', link['href'].removeprefix('http://localhost'), version=LATEST).json
    assert [server['name'] for server in rest['servers']] == ['a'] and 'servers_links' not in rest
    assert some.api('GET', '/servers?limit=0', version=LATEST) == {'servers': []}
    some.api.conf.set_override('max_limit', 3, 'api')
    assert len(names(some, 'limit=100')) == 3 and len(names(some)) == 3


def test_addresses(servers: Servers) -> None:
    for name, address, version in (('four', '10.1.2.3', 4), ('six', 'fd00::77', 6)):
        servers.insert(name=name, nics=(Nic(port_id=name, network_id='n', mac='m', fixed_ips=(
            FixedIp(address=address, subnet_id='s', version=version),)),))
    assert names(servers, 'ip=10.1') == ['four'] and names(servers, 'ip=%5E10%5C.1%5C.2%5C.3$') == ['four']
    assert names(servers, 'ip6=fd00') == ['six'] and names(servers, 'ip=77') == []
    assert names(servers, 'ip6=fd00', version='2.4') == ['six', 'four']
    assert 'ip' in names(servers, 'ip=%28', status=400)


def test_readers_list_and_brief_is_brief(some: Servers) -> None:
    listed = some.api('GET', '/servers', token=READER, status=200)['servers']
    assert all(set(server) == {'id', 'name', 'links'} for server in listed)


def test_names_that_are_patterns_of_sql(servers: Servers) -> None:
    for name in ('100%', '100_', '100x', 'Über'):
        servers.insert(name=name)
    assert names(servers, 'name=100%25') == ['100%'] and names(servers, 'name=100_') == ['100_']
    assert names(servers, f'name={quote("über")}') == ['Über']
    assert names(servers, 'name=100.') == ['100x', '100_', '100%']
