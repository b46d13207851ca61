"""What hangs on a server: metadata, tags, addresses, security groups, ports, volumes; and news from the neighbours."""

from __future__ import annotations

from typing import Any

import pytest

from compute.exception import Unavailable
from tests.api.compute.compute_cloud import ADMIN, MEMBER, OTHER, READER
from tests.api.compute.serving import LATEST, Servers, message

SERVICE = 'neutron:service:service'
UNKNOWN = '99999999-0000-4000-8000-000000000000'


@pytest.fixture
def key(servers: Servers) -> str:
    """A server with metadata and tags."""
    return servers.insert(metadata={'a': '1', 'b': '2'}, tags=('x', 'y')).uuid


def test_metadata(servers: Servers, key: str) -> None:
    path, api = f'/servers/{key}/metadata', servers.api
    assert api('GET', path, status=200) == {'metadata': {'a': '1', 'b': '2'}}
    assert api('GET', f'{path}/a', status=200) == {'meta': {'a': '1'}}
    merged = api('POST', path, {'metadata': {'b': '3', 'c': '4'}}, status=200)['metadata']
    assert merged == {'a': '1', 'b': '3', 'c': '4'}
    assert api('PUT', f'{path}/d', {'meta': {'d': '5'}}, status=200) == {'meta': {'d': '5'}}
    assert api('DELETE', f'{path}/a', status=204) is None
    assert api('GET', path)['metadata'] == {'b': '3', 'c': '4', 'd': '5'}
    assert api('PUT', path, {'metadata': {}}, status=200) == {'metadata': {}}
    for method in ('GET', 'DELETE'):
        assert 'nope' in message(api(method, f'{path}/nope', status=404))


@pytest.mark.parametrize(('method', 'path', 'body', 'words'), [
    ('PUT', '/a', {'meta': {'b': '1'}}, 'same'), ('PUT', '/a', {'meta': {}}, 'meta'),
    ('PUT', '/a', {'meta': {'a': '1', 'b': '2'}}, 'meta'), ('PUT', '/a', {'metadata': {'a': '1'}}, 'meta'),
    ('POST', '', {'metadata': {'a': 1}}, 'metadata'), ('POST', '', {'metadata': {'x' * 256: '1'}}, 'metadata'),
    ('POST', '', {'metadata': {'a': 'x' * 256}}, 'metadata'), ('POST', '', {}, 'metadata'),
    ('PUT', '', {'metadata': None}, 'metadata'), ('PUT', '', {'metadata': {}, 'x': 1}, 'x')])
def test_bad_metadata(servers: Servers, key: str, method: str, path: str, body: Any, words: str) -> None:
    assert words in message(servers.api(method, f'/servers/{key}/metadata{path}', body, status=400))


def test_metadata_that_may_not_be_written(servers: Servers, key: str) -> None:
    path, body = f'/servers/{key}/metadata', {'metadata': {'c': '3'}}
    servers.api('POST', path, body, token=READER, status=403)
    servers.api('POST', path, body, token=OTHER, status=404)
    servers.api.conf.set_override('metadata_items', 2, 'quota')
    assert 'metadata_items' in message(servers.api('POST', path, body, status=403))
    servers.api('PUT', path, body, status=200)
    servers.set(key, vm_state='building')
    assert 'building' in message(servers.api('POST', path, body, status=409))
    servers.set(key, vm_state='active', locked=True)
    assert 'locked' in message(servers.api('DELETE', f'{path}/c', status=409))
    servers.api('DELETE', f'{path}/c', token=ADMIN, status=204)


def tags(servers: Servers, method: str, path: str, body: Any = None, *, status: int, version: str = '2.26',
         token: str = MEMBER) -> Any:
    return servers.api(method, f'/servers/{path}', body, version=version, status=status, token=token)


def test_tags(servers: Servers, key: str) -> None:
    path = f'{key}/tags'
    assert tags(servers, 'GET', path, status=200) == {'tags': ['x', 'y']}
    assert tags(servers, 'GET', f'{path}/x', status=204) is None
    tags(servers, 'GET', f'{path}/z', status=404)
    answer = servers.api.send('PUT', f'/v2.1/servers/{path}/z%20%C3%A9', version='2.26')
    assert answer.status_int == 201 and answer.headers['Location'].endswith(f'/v2.1/servers/{path}/z%20%C3%A9')
    tags(servers, 'PUT', f'{path}/x', status=204)
    tags(servers, 'DELETE', f'{path}/x', status=204)
    tags(servers, 'DELETE', f'{path}/x', status=404)
    assert servers.show(key)['tags'] == ['y', 'z é']
    assert tags(servers, 'PUT', path, {'tags': ['b', 'a', 'b']}, status=200) == {'tags': ['b', 'a']}
    tags(servers, 'DELETE', path, status=204)
    assert tags(servers, 'GET', path, status=200) == {'tags': []}


def test_tags_that_are_refused(servers: Servers, key: str) -> None:
    path = f'{key}/tags'
    for body in ({'tags': ['a/b']}, {'tags': ['a,b']}, {'tags': ['']}, {'tags': ['a' * 61]}, {'tags': 'a'}, {},
                 {'tags': [str(number) for number in range(51)]}):
        tags(servers, 'PUT', path, body, status=400)
    tags(servers, 'PUT', f'{path}/a,b', status=400)
    tags(servers, 'PUT', f'{path}/{"a" * 61}', status=400)
    tags(servers, 'PUT', path, {'tags': [str(number) for number in range(50)]}, status=200)
    assert '50' in message(tags(servers, 'PUT', f'{path}/more', status=400))
    tags(servers, 'GET', path, status=404, version='2.25')
    tags(servers, 'PUT', f'{path}/a', status=403, token=READER)
    tags(servers, 'PUT', f'{path}/a', status=404, token=OTHER)
    servers.set(key, vm_state='error')
    assert 'error' in message(tags(servers, 'DELETE', path, status=409))


def test_addresses(servers: Servers, key: str) -> None:
    address = {'version': 4, 'addr': servers.row(key).nics[0].fixed_ips[0].address}
    assert servers.api('GET', f'/servers/{key}/ips', status=200) == {'addresses': {'net1': [address]}}
    assert servers.api('GET', f'/servers/{key}/ips/net1', status=200) == {'net1': [address]}
    assert 'net2' in message(servers.api('GET', f'/servers/{key}/ips/net2', status=404))


def port_of(servers: Servers, key: str, **more: Any) -> str:
    networks = servers.api.networks
    port: str = networks.add_port(servers.network, project_id='p1', fixed_ip='10.0.0.99',
                                  security_groups=[servers.group], **more)
    networks.bind_port(None, port, host='h1', device_id=key, project_id='p1')
    return port


@pytest.mark.parametrize(('version', 'tagged'), [('2.1', False), ('2.69', False), ('2.70', True), (LATEST, True)])
def test_ports(servers: Servers, key: str, version: str, tagged: bool) -> None:
    port = port_of(servers, key, mac_address='fa:16:3e:00:00:42')
    shown, = servers.api('GET', f'/servers/{key}/os-interface', version=version, status=200)['interfaceAttachments']
    assert {**shown, 'fixed_ips': shown['fixed_ips'][0]['ip_address']} == {
        'net_id': servers.network, 'port_id': port, 'mac_addr': 'fa:16:3e:00:00:42', 'port_state': 'ACTIVE',
        'fixed_ips': '10.0.0.99', **({'tag': None} if tagged else {})}
    one = servers.api('GET', f'/servers/{key}/os-interface/{port}', version=version, status=200)
    assert one == {'interfaceAttachment': shown}
    assert UNKNOWN in message(servers.api('GET', f'/servers/{key}/os-interface/{UNKNOWN}', status=404))
    servers.api.networks.refuse(Unavailable('down'))
    servers.api('GET', f'/servers/{key}/os-interface', status=503)


def test_a_port_of_a_strangers_that_names_the_server_is_not_shown(servers: Servers, key: str) -> None:
    networks = servers.api.networks
    group = networks.add_group('p2', 'evil')
    foreign = networks.add_port(networks.add_network(project_id='p2', cidr='10.8.0.0/24'), project_id='p2',
                                device_id=key, device_owner='compute:nova', security_groups=[group])
    assert servers.api('GET', f'/servers/{key}/os-interface', status=200) == {'interfaceAttachments': []}
    servers.api('GET', f'/servers/{key}/os-interface/{foreign}', status=404)
    assert servers.api('GET', f'/servers/{key}/os-security-groups', status=200) == {'security_groups': []}


def test_security_groups(servers: Servers, key: str) -> None:
    web = servers.group
    group = servers.api.networks.add_group('p1', 'db', description='d', security_group_rules=[
        {'id': 'r1', 'direction': 'ingress', 'ethertype': 'IPv4', 'protocol': 'tcp', 'port_range_min': 22,
         'port_range_max': 23, 'remote_ip_prefix': '10.0.0.0/8', 'remote_group_id': None},
        {'id': 'r2', 'direction': 'ingress', 'ethertype': 'IPv6', 'protocol': 'udp', 'port_range_min': None,
         'port_range_max': None, 'remote_ip_prefix': None, 'remote_group_id': None},
        {'id': 'r3', 'direction': 'ingress', 'ethertype': 'IPv4', 'protocol': None, 'port_range_min': None,
         'port_range_max': None, 'remote_ip_prefix': None, 'remote_group_id': web},
        {'id': 'r4', 'direction': 'egress', 'ethertype': 'IPv4', 'protocol': None}])
    servers.group = group
    port_of(servers, key)
    shown, = servers.api('GET', f'/servers/{key}/os-security-groups', status=200)['security_groups']
    assert (shown['id'], shown['name'], shown['description'], shown['tenant_id']) == (group, 'db', 'd', 'p1')
    rules = {rule.pop('id'): rule for rule in shown['rules']}
    common = {'parent_group_id': group, 'group': {}, 'ip_range': {}}
    assert rules == {
        'r1': {**common, 'ip_protocol': 'tcp', 'from_port': 22, 'to_port': 23, 'ip_range': {'cidr': '10.0.0.0/8'}},
        'r2': {**common, 'ip_protocol': 'udp', 'from_port': 1, 'to_port': 65535, 'ip_range': {'cidr': '::/0'}},
        'r3': {**common, 'ip_protocol': None, 'from_port': None, 'to_port': None,
               'group': {'name': 'web', 'tenant_id': 'p1'}}}


def test_volumes(servers: Servers, key: str) -> None:
    path = f'/servers/{key}/os-volume_attachments'
    assert servers.api('GET', f'{path}?limit=1&offset=0', status=200) == {'volumeAttachments': []}
    servers.api('GET', f'{path}?nonsense=1', version='2.74', status=200)
    servers.api('GET', f'{path}?nonsense=1', version='2.75', status=400)
    servers.api('GET', f'{path}/{UNKNOWN}', status=404)


def test_the_second_name(servers: Servers, key: str) -> None:
    api = servers.api
    assert api('GET', f'/os-volumes_boot/{key}', version='2.102', status=200)['server'] == servers.show(key, '2.102')
    assert api('GET', '/os-volumes_boot/detail', version='2.1')['servers'] == api('GET', '/servers/detail')['servers']
    assert [server['id'] for server in api('GET', '/os-volumes_boot', status=200)['servers']] == [key]
    assert api('POST', '/os-volumes_boot', servers.request(), version='2.37', status=202)['server']['id']
    api('POST', f'/os-volumes_boot/{key}/action', {'os-stop': None}, status=202)
    for method, path in (('GET', ''), ('GET', f'/{key}'), ('GET', '/detail'), ('DELETE', f'/{key}')):
        api(method, f'/os-volumes_boot{path}', version='2.103', status=404)
    api('POST', '/os-volumes_boot', servers.request(), version='2.103', status=404)
    assert 'lock' in message(api('POST', f'/os-volumes_boot/{key}/action', {'lock': None}, status=400))


def events(servers: Servers, *wanted: dict[str, Any], status: int = 200, version: str = LATEST,
           token: str = SERVICE) -> Any:
    return servers.api('POST', '/os-server-external-events', {'events': list(wanted)}, version=version, token=token,
                       status=status)


def test_events(servers: Servers, key: str) -> None:
    event = {'name': 'network-vif-plugged', 'server_uuid': key, 'tag': 'port', 'status': 'completed'}
    assert events(servers, event)['events'] == [{**event, 'code': 200}]
    sent, = servers.api.rpc.of('external_event')
    value = sent.arguments['event']
    assert (sent.server, value.name, value.tag, value.status) == ('h1', 'network-vif-plugged', 'port', 'completed')
    events(servers, {'name': 'network-changed', 'server_uuid': key}, token=ADMIN)
    servers.api.rpc.refuse(Unavailable('no broker'))
    assert events(servers, event)['events'][0]['code'] == 200


def refreshed(servers: Servers) -> list[tuple[str, ...]]:
    """Return the servers whose ports conductors were asked to read."""
    return [sent.arguments['servers'] for sent in servers.api.rpc.of('refresh')]


@pytest.mark.parametrize(('name', 'task_state', 'read'), [
    ('network-changed', None, True), ('network-vif-plugged', None, True), ('network-vif-unplugged', None, True),
    ('network-vif-deleted', None, True), ('network-changed', 'rebooting', True),
    ('network-vif-plugged', 'spawning', False), ('network-vif-deleted', 'deleting', False),
    ('volume-extended', None, False)])
def test_events_of_the_network_have_ports_read(servers: Servers, name: str, task_state: str | None, read: bool) -> None:
    uuid = servers.insert(task_state=task_state).uuid
    events(servers, {'name': name, 'server_uuid': uuid, 'tag': 'port'})
    assert refreshed(servers) == ([(uuid,)] if read else [])


def test_many_events_ask_a_conductor_once(servers: Servers, key: str) -> None:
    other = servers.insert().uuid
    events(servers, *({'name': 'network-changed', 'server_uuid': uuid, 'tag': f'port{number}'}
                      for uuid in (key, other, UNKNOWN) for number in range(3)), status=207)
    assert refreshed(servers) == [tuple(sorted((key, other)))]


def test_events_that_cannot_be_passed_on(servers: Servers, key: str) -> None:
    nowhere = servers.insert(host=None).uuid
    found = events(servers, {'name': 'network-changed', 'server_uuid': key},
                   {'name': 'network-changed', 'server_uuid': UNKNOWN},
                   {'name': 'network-changed', 'server_uuid': nowhere},
                   {'name': 'volume-extended', 'server_uuid': key}, status=207)['events']
    assert [(event['code'], event['status']) for event in found] == [
        (200, 'completed'), (404, 'failed'), (422, 'failed'), (400, 'failed')]
    assert len(servers.api.rpc.of('external_event')) == 1


@pytest.mark.parametrize(('name', 'since'), [
    ('volume-extended', '2.51'), ('power-update', '2.76'), ('accelerator-request-bound', '2.82'),
    ('volume-reimaged', '2.93')])
def test_when_names_of_events_came(servers: Servers, key: str, name: str, since: str) -> None:
    event = {'name': name, 'server_uuid': key, 'tag': 'x'}
    events(servers, event, version=since)
    older = f'2.{int(since[2:]) - 1}'
    assert name in message(events(servers, event, version=older, status=400))


@pytest.mark.parametrize(('event', 'words'), [
    ({'name': 'nope'}, 'nope'), ({'server_uuid': 'x'}, 'server_uuid'), ({'status': 'maybe'}, 'maybe'),
    ({'tag': 5}, 'tag'), ({'x': 1}, 'x')])
def test_bad_events(servers: Servers, key: str, event: dict[str, Any], words: str) -> None:
    whole = {'name': 'network-changed', 'server_uuid': key, **event}
    assert words in message(events(servers, whole, status=400))


def test_who_announces(servers: Servers, key: str) -> None:
    event = {'name': 'network-changed', 'server_uuid': key}
    for token in (MEMBER, READER, 'man:p1:manager,member,reader'):
        events(servers, event, token=token, status=403)
    servers.api('POST', '/os-server-external-events', {'events': []}, token=SERVICE, status=400)
