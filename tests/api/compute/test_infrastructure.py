"""Daemons, hypervisors and zones over HTTP, at both sides of every version that changed them."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest
import sqlalchemy as sa

from compute.db import instances, services
from compute.db.tables import services as services_table
from compute.health import DEGRADED, Finding, Report
from compute.objects.flavor import Flavor
from compute.objects.instance import Instance
from compute.objects.value import now
from tests.api.compute.compute_cloud import ADMIN, MEMBER, ComputeApi
from tests.api.compute.serving import message

USE = {'vcpus', 'vcpus_used', 'memory_mb', 'memory_mb_used', 'local_gb', 'local_gb_used', 'free_ram_mb', 'free_disk_gb',
       'disk_available_least', 'current_workload', 'running_vms', 'cpu_info'}


def add_server(api: ComputeApi, host: str, name: str = 'vm1') -> str:
    uuid = '10000000-0000-4000-8000-000000000001'
    time = now()
    instance = Instance(uuid=uuid, project_id='p1', user_id='ann', name=name, host=host, created_at=time,
                        updated_at=time, flavor=Flavor(flavorid='1', name='f', vcpus=1, memory_mb=1))
    api.db.transaction(lambda connection: instances.insert(connection, instance))
    return uuid


def age(api: ComputeApi, host: str, seconds: int) -> None:
    seen = now() - datetime.timedelta(seconds=seconds)
    api.db.transaction(lambda connection: connection.execute(sa.update(services_table).where(
        services_table.c.host == host).values(last_seen_at=seen)))


def listed(api: ComputeApi, version: str | None = None, query: str = '') -> list[dict[str, Any]]:
    return api('GET', f'/os-services{query}', version=version, token=ADMIN, status=200)['services']


def test_services(api: ComputeApi) -> None:
    uuid = api.add_host('h1')
    service, = listed(api, '2.53')
    datetime.datetime.strptime(service.pop('updated_at'), '%Y-%m-%dT%H:%M:%S.000000')
    assert service == {'id': uuid, 'binary': 'nova-compute', 'host': 'h1', 'zone': 'nova', 'status': 'enabled',
                       'state': 'up', 'disabled_reason': None, 'forced_down': False}
    assert isinstance(listed(api, '2.52')[0]['id'], int)
    assert 'forced_down' in listed(api, '2.11')[0]
    assert 'forced_down' not in listed(api, '2.10')[0]
    assert listed(api, query='?host=h2') == []
    assert listed(api, query='?binary=nova-conductor') == []
    assert listed(api, query='?host=&binary=') == listed(api)
    api('GET', '/os-services', token=MEMBER, status=403)


def test_a_service_without_heartbeat_is_down(api: ComputeApi) -> None:
    api.add_host('h1')
    age(api, 'h1', 61)
    assert listed(api)[0]['state'] == 'down'


def test_the_old_ways_to_change_a_service(api: ComputeApi) -> None:
    api.add_host('h1')
    who = {'host': 'h1', 'binary': 'nova-compute'}
    def put(action: str, version: str = '2.11', status: int = 200, **more: Any) -> Any:
        return api('PUT', f'/os-services/{action}', {**who, **more}, version=version, token=ADMIN, status=status)
    assert put('disable') == {'service': {**who, 'status': 'disabled'}}
    assert put('disable-log-reason', disabled_reason='disk') == {
        'service': {**who, 'status': 'disabled', 'disabled_reason': 'disk'}}
    assert listed(api)[0]['disabled_reason'] == 'disk'
    assert put('enable') == {'service': {**who, 'status': 'enabled'}}
    assert listed(api)[0]['disabled_reason'] is None
    assert put('force-down', forced_down=True) == {'service': {**who, 'forced_down': True}}
    assert listed(api)[0]['state'] == 'down'
    put('force-down', '2.10', 400, forced_down=True)
    put('force-down', '2.10', 404)
    for action in ('enable', 'disable', 'disable-log-reason', 'force-down'):
        put(action, '2.53', 404)
    put('enable', status=400, surprise=1)
    put('explode', status=404)
    who['host'] = 'h9'
    put('enable', status=404)


CHANGES = ('enable', 'disable', 'disable-log-reason', 'force-down', 'explode')


@pytest.mark.parametrize('action', CHANGES)
@pytest.mark.parametrize('version', ['2.1', '2.10', '2.11', '2.52'])
def test_the_old_ways_have_one_schema(api: ComputeApi, version: str, action: str) -> None:
    """First the body is checked, then the name of the change, then what it needs, then the service."""
    api.add_host('h1')
    who = {'host': 'h1', 'binary': 'nova-compute'}
    def put(body: Any, status: int) -> str:
        answer = api('PUT', f'/os-services/{action}', body, version=version, token=ADMIN, status=status)
        return message(answer) if status != 200 else ''
    for bad in ({}, {'host': 'h1'}, {'binary': 'nova-compute'}, {**who, 'host': ''}, {**who, 'host': 'h 1'},
                {**who, 'binary': ''}, {**who, 'binary': 'b' * 256}, {**who, 'disabled_reason': ''},
                {**who, 'disabled_reason': 'r' * 256}, {**who, 'disabled_reason': None}, {**who, 'status': 'x'}):
        put(bad, 400)
    knows_down = version in ('2.11', '2.52')
    known = action != 'explode' and (knows_down or action != 'force-down')
    status = 400 if not knows_down or action == 'disable-log-reason' else 200 if known else 404
    put({**who, 'forced_down': True}, status)
    if knows_down:
        put({**who, 'forced_down': 'perhaps'}, 400)
    whole = {**who, 'disabled_reason': 'x', **({'forced_down': False} if knows_down else {})}
    put(whole, 200 if known else 404)
    put({**whole, 'host': 'h9'}, 404)
    field = {'disable-log-reason': 'disabled_reason', 'force-down': 'forced_down'}.get(action)
    if field and known:
        assert field in put({**who, 'host': 'h9'}, 400)
        del whole[field]
        assert field in put(whole, 400)
    api('PUT', f'/os-services/{action}', whole, version=version, token=MEMBER, status=403)


@pytest.mark.parametrize('version', ['2.1', '2.75', '2.102', '2.104'])
def test_defaults_of_quotas_for_a_user(api: ComputeApi, version: str) -> None:
    plain = api('GET', '/os-quota-sets/p1/defaults', version=version, status=200)
    assert api('GET', '/os-quota-sets/p1/defaults?user_id=ann', version=version, status=200) == plain


def test_changing_a_service_by_uuid(api: ComputeApi) -> None:
    uuid = api.add_host('h1')
    def put(status: int = 200, key: str = uuid, **body: Any) -> Any:
        return api('PUT', f'/os-services/{key}', body, version='2.53', token=ADMIN, status=status)
    body = {'status': 'disabled', 'disabled_reason': 'disk'}
    service = api('PUT', f'/os-services/{uuid}', body, version='2.53', token=ADMIN, status=200)['service']
    assert (service['id'], service['status'], service['disabled_reason']) == (uuid, 'disabled', 'disk')
    assert put(forced_down=True)['service']['forced_down'] is True
    put(400)
    put(400, disabled_reason='alone')
    put(400, key='no-uuid', forced_down=True)
    put(404, key='20000000-0000-4000-8000-000000000000', forced_down=True)
    api('PUT', f'/os-services/{uuid}', {'status': 'enabled', 'disabled_reason': 'x'}, version='2.53', token=ADMIN,
        status=400)
    api('PUT', f'/os-services/{uuid}', {'forced_down': False}, version='2.53', token=MEMBER, status=403)


def test_health_of_services(api: ComputeApi) -> None:
    said = Report(findings=(Finding(probe='disk', state=DEGRADED, reason='writing took 4.0 s', value=4.0),
                            Finding(probe='database', value=0.001))).to_wire()

    def write(connection: sa.Connection) -> None:
        services.beat(connection, 'c1', 'nova-conductor', 'conductor', 'x', health=said)
        services.beat(connection, 'c2', 'nova-conductor', 'conductor', 'y')
        connection.execute(services_table.update().where(services_table.c.host == 'c2').values(
            last_seen_at=now() - datetime.timedelta(hours=1), problems=['as an older release says it']))
    api.add_host('h1')
    api.db.transaction(write)
    shown = {row['host']: row for row in api('GET', '/service-health', token=ADMIN, status=200)['service_health']}
    assert {host: row['state'] for host, row in shown.items()} == {'h1': 'up', 'c1': 'degraded', 'c2': 'down'}
    assert set(shown['c1']) == {'id', 'host', 'binary', 'zone', 'state', 'reasons', 'status', 'disabled_reason',
                                'last_seen_at', 'incarnation', 'release'}
    assert shown['c1']['reasons'] == [
        {'probe': 'disk', 'state': 'degraded', 'reason': 'writing took 4.0 s', 'value': 4.0, 'unit': 's'}]
    silent, told = shown['c2']['reasons']
    assert silent['probe'] == 'heartbeat' and silent['value'] >= 3600
    assert told['reason'] == 'as an older release says it'
    found = api('GET', '/service-health?state=degraded&binary=nova-conductor', token=ADMIN, status=200)
    assert [row['host'] for row in found['service_health']] == ['c1']
    api('GET', '/service-health?state=ill', token=ADMIN, status=400)
    api('GET', '/service-health', token=MEMBER, status=403)
    listed = api('GET', '/os-services', token=ADMIN, status=200)['services']
    assert {row['host']: row['state'] for row in listed} == {'h1': 'up', 'c1': 'up', 'c2': 'down'}, 'as Nova has it'


def test_only_workers_are_changed(api: ComputeApi) -> None:
    service = api.db.transaction(lambda connection: services.beat(connection, 'c1', 'nova-conductor', 'conductor', 'x'))
    answer = api('PUT', f'/os-services/{service.uuid}', {'forced_down': True}, version='2.53', token=ADMIN, status=400)
    assert answer['badRequest']['message'] == ('Updating a nova-conductor service is not supported. Only nova-compute '
                                               'services can be updated.')


def test_forgetting_a_service(api: ComputeApi) -> None:
    uuid = api.add_host('h1')
    api('DELETE', f'/os-services/{uuid}', version='2.53', token=MEMBER, status=403)
    api('DELETE', f'/os-services/{uuid}', version='2.53', token=ADMIN, status=204)
    assert api('GET', '/os-hypervisors', token=ADMIN) == {'hypervisors': []}
    api('DELETE', f'/os-services/{uuid}', version='2.53', token=ADMIN, status=404)
    api.add_host('h2')
    add_server(api, 'h2')
    number = listed(api, '2.52')[0]['id']
    api('DELETE', f'/os-services/{number}', version='2.52', token=ADMIN, status=409)
    api('DELETE', '/os-services/x', version='2.52', token=ADMIN, status=400)
    api('DELETE', '/os-services/999999', version='2.52', token=ADMIN, status=404)


def details(api: ComputeApi, version: str) -> dict[str, Any]:
    return api('GET', '/os-hypervisors/detail', version=version, token=ADMIN, status=200)['hypervisors'][0]


@pytest.mark.parametrize(('version', 'used', 'uptime'), [('2.1', True, False), ('2.87', True, False),
                                                         ('2.88', False, True)])
def test_hypervisors(api: ComputeApi, version: str, used: bool, uptime: bool) -> None:
    service = api.add_host('h1')
    shown = details(api, version)
    assert (set(shown) >= USE) is used
    assert bool(set(shown) & USE) is used
    assert ('uptime' in shown) is uptime
    numbered = version == '2.1'
    number = listed(api)[0]['id']
    assert shown['service'] == {'id': number if numbered else service, 'host': 'h1', 'disabled_reason': None}
    key = shown['id']
    assert isinstance(key, int) is numbered
    assert api('GET', f'/os-hypervisors/{key}', version=version, token=ADMIN, status=200)['hypervisor'] == shown
    brief = api('GET', '/os-hypervisors', version=version, token=ADMIN, status=200)['hypervisors'][0]
    assert brief == {'id': key, 'hypervisor_hostname': 'h1', 'state': 'up', 'status': 'enabled'}


def test_what_a_hypervisor_has(api: ComputeApi) -> None:
    api.add_host('h1')
    shown = details(api, '2.87')
    assert {name: shown[name] for name in ('vcpus', 'memory_mb', 'memory_mb_used', 'free_ram_mb', 'local_gb')} == {
        'vcpus': 8, 'memory_mb': 16384, 'memory_mb_used': 512, 'free_ram_mb': 15872, 'local_gb': 100}
    assert shown['cpu_info'] == {'arch': 'x86_64'}
    assert json.loads(details(api, '2.27')['cpu_info']) == {'arch': 'x86_64'}
    assert details(api, '2.88')['uptime'] == 'up 3 days'


def test_ids_of_the_wrong_form(api: ComputeApi) -> None:
    api.add_host('h1')
    for version, key, status in (('2.52', 'h1', 404), ('2.52', '999999', 404), ('2.53', 'h1', 400), ('2.53', '1', 400),
                                 ('2.53', '20000000-0000-4000-8000-000000000000', 404)):
        api('GET', f'/os-hypervisors/{key}', version=version, token=ADMIN, status=status)
    api('GET', '/os-hypervisors', token=MEMBER, status=403)


def test_searching(api: ComputeApi) -> None:
    api.add_host('node-a')
    api.add_host('node-b')
    add_server(api, 'node-a')
    def get(path: str, version: str, status: int = 200) -> Any:
        return api('GET', f'/os-hypervisors{path}', version=version, token=ADMIN, status=status)
    assert [one['hypervisor_hostname'] for one in get('/node/search', '2.52')['hypervisors']] == ['node-a', 'node-b']
    get('/other/search', '2.52', 404)
    get('/node/search', '2.53', 404)
    first, second = get('/node/servers', '2.52')['hypervisors']
    assert first['servers'][0]['uuid'] == '10000000-0000-4000-8000-000000000001'
    assert 'servers' not in second
    get('/node/servers', '2.53', 404)
    assert len(get('?hypervisor_hostname_pattern=NODE-a', '2.53')['hypervisors']) == 1
    assert len(get('?hypervisor_hostname_pattern=node-a', '2.52')['hypervisors']) == 2
    get('?hypervisor_hostname_pattern=x', '2.53', 404)
    get('?hypervisor_hostname_pattern=node&limit=1', '2.53', 400)
    assert [one.get('servers', 'none') != 'none' for one in get('?with_servers=true', '2.74')['hypervisors']] == [
        True, False]
    assert get('?with_servers=true', '2.75')['hypervisors'][1]['servers'] == []


def test_pages_of_hypervisors(api: ComputeApi) -> None:
    for name in ('a', 'b', 'c'):
        api.add_host(name)
    for version in ('2.33', '2.53'):
        first = api('GET', '/os-hypervisors?limit=2', version=version, token=ADMIN, status=200)
        assert len(first['hypervisors']) == 2
        path = first['hypervisors_links'][0]['href'].removeprefix('http://localhost')
        rest = api('GET', path, version=version, token=ADMIN, prefix='', status=200)
        assert [one['hypervisor_hostname'] for one in rest['hypervisors']] == ['c']
    assert len(api('GET', '/os-hypervisors?limit=2', version='2.32', token=ADMIN)['hypervisors']) == 3


def test_uptime_and_statistics(api: ComputeApi) -> None:
    api.add_host('a')
    api.add_host('b', uptime='')
    first, second = (one['id'] for one in api('GET', '/os-hypervisors', token=ADMIN)['hypervisors'])
    def uptime(key: int, status: int, version: str | None = None) -> Any:
        return api('GET', f'/os-hypervisors/{key}/uptime', version=version, token=ADMIN, status=status)
    assert uptime(first, 200)['hypervisor']['uptime'] == 'up 3 days'
    uptime(second, 501)
    age(api, 'a', 100)
    uptime(first, 400)
    uptime(first, 404, '2.88')
    sums = api('GET', '/os-hypervisors/statistics', token=ADMIN, status=200)['hypervisor_statistics']
    assert (sums['count'], sums['vcpus'], sums['memory_mb']) == (2, 16, 32768)
    api('GET', '/os-hypervisors/statistics', version='2.88', token=ADMIN, status=404)


def test_zones(api: ComputeApi) -> None:
    api.add_host('a', 'east')
    uuid = api.add_host('b', 'west')
    api.db.transaction(lambda connection: services.beat(connection, 'c1', 'nova-conductor', 'conductor', 'x'))
    assert api('GET', '/os-availability-zone', status=200) == {'availabilityZoneInfo': [
        {'zoneName': name, 'zoneState': {'available': True}, 'hosts': None} for name in ('east', 'west')]}
    api('PUT', f'/os-services/{uuid}', {'status': 'disabled'}, version='2.53', token=ADMIN, status=200)
    zones = {zone['zoneName']: zone for zone in api('GET', '/os-availability-zone/detail', token=ADMIN, status=200)[
        'availabilityZoneInfo']}
    assert set(zones) == {'east', 'west', 'internal'}
    assert zones['west'] == {'zoneName': 'west', 'zoneState': {'available': False}, 'hosts': None}
    daemon = zones['east']['hosts']['a']['nova-compute']
    assert (daemon['active'], daemon['available']) == (True, True)
    datetime.datetime.strptime(daemon['updated_at'], '%Y-%m-%dT%H:%M:%S.000000')
    api('GET', '/os-availability-zone/detail', status=403)
