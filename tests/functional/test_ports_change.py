"""What users do to the ports of their servers shows on the servers, and no server is lost by it."""

from __future__ import annotations

import pytest

from tests.functional.standalone import Client, Cloud, wait_for


def addresses(client: Client, uuid: str) -> list[str]:
    return [address['addr'] for found in client.server(uuid)['addresses'].values() for address in found]


def test_a_changed_address_shows_everywhere(client: Client, cloud: Cloud) -> None:
    uuid = cloud.create()
    client.wait(uuid, 'ACTIVE')
    port, = cloud.ports(uuid)
    client.ok('PUT', 'network', f'/v2.0/ports/{port["id"]}', {'port': {'fixed_ips': [{'ip_address': '10.7.9.9'}]}})
    wait_for(lambda: addresses(client, uuid) == ['10.7.9.9'], 30, 'the new address')
    found = client.ok('GET', 'compute', '/servers?ip=10.7.9.9')['servers']
    assert [server['id'] for server in found] == [uuid]
    client.call('DELETE', 'compute', f'/servers/{uuid}')
    client.gone(uuid)


@pytest.mark.parametrize('how', ['HARD', 'SOFT', 'start'])
def test_a_server_whose_port_was_deleted_goes_on_without_it(client: Client, cloud: Cloud, how: str) -> None:
    uuid = cloud.create(networks=[{'uuid': cloud.network}, {'uuid': cloud.network}])
    client.wait(uuid, 'ACTIVE')
    lost, kept = cloud.ports(uuid)
    assert client.call('DELETE', 'network', f'/v2.0/ports/{lost["id"]}').status_code == 204
    wait_for(lambda: addresses(client, uuid) == [kept['fixed_ips'][0]['ip_address']], 30, 'the end of its address')
    if how == 'start':
        client.act(uuid, 'os-stop')
        client.wait(uuid, 'SHUTOFF')
        assert client.act(uuid, 'os-start').status_code == 202
    else:
        assert client.act(uuid, 'reboot', {'type': how}).status_code == 202
    client.wait(uuid, 'ACTIVE')
    assert addresses(client, uuid) == [kept['fixed_ips'][0]['ip_address']]
    client.call('DELETE', 'compute', f'/servers/{uuid}')
    client.gone(uuid)
    assert cloud.ports(uuid) == []
