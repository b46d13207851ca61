"""A server's life through every daemon: created, used, deleted, with nothing left behind."""

from __future__ import annotations

import base64

import pytest

from tests.functional.standalone import Client, Cloud, wait_for


def test_boot_use_delete(client: Client, cloud: Cloud) -> None:
    uuid = cloud.create(metadata={'role': 'web'}, user_data=base64.b64encode(b'#!/bin/sh\n').decode(),
                        description='a first one', tags=['blue'])
    server = client.wait(uuid, 'ACTIVE')
    address = server['addresses']['net1'][0]
    assert address['addr'].startswith('10.7.0.')
    assert server['OS-EXT-SRV-ATTR:host'] == 'node1' and server['OS-EXT-STS:power_state'] == 1
    assert server['metadata'] == {'role': 'web'} and server['tags'] == ['blue']
    assert cloud.ports(uuid)[0]['status'] == 'ACTIVE'
    assert server['security_groups'] == [{'name': 'default'}]
    group, = client.ok('GET', 'compute', f'/servers/{uuid}/os-security-groups')['security_groups']
    assert group['name'] == 'default' and group['rules']
    port, = client.ok('GET', 'compute', f'/servers/{uuid}/os-interface')['interfaceAttachments']
    assert (port['port_state'], port['fixed_ips'][0]['ip_address']) == ('ACTIVE', address['addr'])
    client.ok('POST', 'compute', f'/servers/{uuid}/action', {'os-getConsoleOutput': {}})
    actions = client.ok('GET', 'compute', f'/servers/{uuid}/os-instance-actions')['instanceActions']
    request_id = actions[0]['request_id']
    path = f'/servers/{uuid}/os-instance-actions/{request_id}'
    events = client.ok('GET', 'compute', path)['instanceAction']['events']
    assert {'scheduling', 'networking', 'spawning'} <= {event['event'] for event in events}
    assert {event['result'] for event in events} == {'Success'}
    assert client.call('DELETE', 'compute', f'/servers/{uuid}').status_code == 204
    client.gone(uuid)
    assert cloud.ports(uuid) == []


def test_usage_returns_to_what_it_was(client: Client, cloud: Cloud) -> None:
    def used() -> tuple[int, int]:
        absolute = client.ok('GET', 'compute', '/limits')['limits']['absolute']
        return absolute['totalInstancesUsed'], absolute['totalRAMUsed']
    before = used()
    uuid = cloud.create()
    assert used() == (before[0] + 1, before[1] + 256)
    client.wait(uuid, 'ACTIVE')
    client.call('DELETE', 'compute', f'/servers/{uuid}')
    client.gone(uuid)
    assert used() == before


def test_several_at_once(client: Client, cloud: Cloud) -> None:
    answer = client.ok('POST', 'compute', '/servers', cloud.request(name='many', min_count=3, max_count=3,
                                                                    return_reservation_id=True))
    reservation = answer['reservation_id']
    servers = client.ok('GET', 'compute', f'/servers?reservation_id={reservation}')['servers']
    assert sorted(server['name'] for server in servers) == ['many-1', 'many-2', 'many-3']
    for server in servers:
        client.wait(server['id'], 'ACTIVE')
        client.call('DELETE', 'compute', f'/servers/{server["id"]}')
    for server in servers:
        client.gone(server['id'])


def test_stop_and_start(client: Client, cloud: Cloud) -> None:
    uuid = cloud.create()
    client.wait(uuid, 'ACTIVE')
    assert client.act(uuid, 'os-stop').status_code == 202
    assert client.wait(uuid, 'SHUTOFF')['OS-EXT-STS:power_state'] == 4
    refused = client.act(uuid, 'os-stop')
    assert refused.status_code == 409 and 'vm_state stopped' in refused.json()['conflictingRequest']['message']
    assert client.act(uuid, 'os-start').status_code == 202
    client.wait(uuid, 'ACTIVE')
    client.call('DELETE', 'compute', f'/servers/{uuid}')
    client.gone(uuid)


def test_own_port_is_given_back(client: Client, cloud: Cloud) -> None:
    port = client.ok('POST', 'network', '/v2.0/ports', {'port': {'network_id': cloud.network, 'name': 'mine'}})['port']
    uuid = cloud.create(networks=[{'port': port['id']}])
    client.wait(uuid, 'ACTIVE')
    taken = client.call('POST', 'compute', '/servers', cloud.request(networks=[{'port': port['id']}]))
    assert taken.status_code == 409 and port['id'] in taken.text
    client.call('DELETE', 'compute', f'/servers/{uuid}')
    client.gone(uuid)
    kept = client.ok('GET', 'network', f'/v2.0/ports/{port["id"]}')['port']
    assert kept['device_id'] == ''
    client.ok('DELETE', 'network', f'/v2.0/ports/{port["id"]}')


def test_same_key_same_server(client: Client, cloud: Cloud) -> None:
    headers = {'Idempotency-Key': 'once'}
    answer = client.ok('POST', 'compute', '/servers', cloud.request(), headers=headers)['server']
    first = answer['id']
    assert client.ok('POST', 'compute', '/servers', cloud.request(), headers=headers)['server'] == answer
    other = client.call('POST', 'compute', '/servers', cloud.request(name='other'), headers=headers)
    assert other.status_code == 409
    client.wait(first, 'ACTIVE')
    client.call('DELETE', 'compute', f'/servers/{first}')
    client.gone(first)


def test_no_host_says_why(client: Client, cloud: Cloud) -> None:
    flavor = client.ok('POST', 'compute', '/flavors', {'flavor': {
        'name': 'huge', 'ram': 40_000_000, 'vcpus': 1, 'disk': 1}})['flavor']['id']
    client.ok('PUT', 'compute', f'/os-quota-sets/{client.project_id}', {'quota_set': {'ram': -1}})
    uuid = cloud.create(flavorRef=flavor)
    server = client.wait(uuid, 'ERROR')
    assert '40000000' in server['fault']['message'] and server['OS-EXT-SRV-ATTR:host'] is None
    client.call('DELETE', 'compute', f'/servers/{uuid}')
    client.gone(uuid)


@pytest.mark.parametrize(('change', 'status', 'words'), [
    ({'imageRef': '00000000-0000-4000-8000-000000000000'}, 400, 'image could not be found'),
    ({'flavorRef': 'nope'}, 400, 'Flavor nope could not be found'),
    ({'networks': [{'uuid': '00000000-0000-4000-8000-000000000000'}]}, 400, 'could not be found'),
    ({'key_name': 'nope'}, 400, "'nope'"),
    ({'availability_zone': 'mars'}, 400, "'mars'"),
    ({'user_data': '%%%'}, 400, 'base64'),
    ({'min_count': 3, 'max_count': 2}, 400, 'min_count'),
    ({'nonsense': 1}, 400, 'nonsense'),
    ({'name': ''}, 400, 'name'),
    ({'max_count': 500}, 202, None),
])
def test_what_is_refused(client: Client, cloud: Cloud, change: dict[str, object], status: int,
                         words: str | None) -> None:
    if words is None:
        client.ok('PUT', 'compute', f'/os-quota-sets/{client.project_id}', {'quota_set': {'instances': 10}})
        answer = client.call('POST', 'compute', '/servers', cloud.request(**{**change, 'min_count': 11}))
        assert answer.status_code == 403 and 'instances' in answer.text
        return
    answer = client.call('POST', 'compute', '/servers', cloud.request(**change))
    assert answer.status_code == status and words in answer.text


def test_delete_while_it_is_built(client: Client, cloud: Cloud) -> None:
    uuid = cloud.create()
    assert client.call('DELETE', 'compute', f'/servers/{uuid}').status_code == 204
    client.gone(uuid)
    wait_for(lambda: cloud.ports(uuid) == [], 10, 'the end of its ports')
