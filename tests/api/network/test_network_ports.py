"""Ports over HTTP: addresses, groups, binding, what is refused."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from compute.builtin.network.db import tables
from compute.objects.value import now
from tests.api.network.serving import PROJECTS, Site

SERVER = '11111111-2222-3333-4444-555555555555'
BOUND = {'binding:host_id': 'host1', 'device_id': SERVER, 'device_owner': 'compute:nova',
         'project_id': PROJECTS['demo']}


def addresses(port: dict[str, Any]) -> list[str]:
    """Return the addresses of a port."""
    return [ip['ip_address'] for ip in port['fixed_ips']]


def kind(answer: dict[str, Any]) -> str:
    """Return the type of a refusal."""
    return str(answer['NeutronError']['type'])


def test_a_port_gets_one_address_of_each_version(site: Site) -> None:
    network = site.network()
    site.subnet(network)
    site.subnet(network, '10.0.1.0/24')
    site.subnet(network, 'fd00:1::/64', ipv6_ra_mode='dhcpv6-stateful', ipv6_address_mode='dhcpv6-stateful')
    site.subnet(network, 'fd00:2::/64', ipv6_ra_mode='slaac', ipv6_address_mode='slaac')
    port = site.port(network, mac_address='fa:16:3e:00:00:01', user='demo')
    assert addresses(port) == ['10.0.0.2', 'fd00:1::2', 'fd00:2::f816:3eff:fe00:1']
    assert port['security_groups'] == [site.get('/security-groups')['security_groups'][0]['id']]


def test_a_slaac_subnet_reaches_ports_that_are_there(site: Site) -> None:
    network = site.network()
    port = site.port(network, mac_address='fa:16:3e:00:00:02')
    assert port['fixed_ips'] == []
    subnet = site.subnet(network, 'fd00:2::/64', ipv6_ra_mode='slaac', ipv6_address_mode='slaac')
    assert addresses(site.get(f'/ports/{port["id"]}')['port']) == ['fd00:2::f816:3eff:fe00:2']
    site.delete(f'/subnets/{subnet["id"]}')
    assert site.get(f'/ports/{port["id"]}')['port']['fixed_ips'] == []


@pytest.mark.parametrize(('request_', 'status', 'expected'), [
    ([{'ip_address': '10.0.0.77'}], 201, ['10.0.0.77']),
    ([{'ip_address': '10.0.0.8'}, {'ip_address': '10.0.0.7'}], 201, ['10.0.0.8', '10.0.0.7']),
    ([], 201, []),
    ([{'ip_address': '10.0.0.1'}], 409, 'IpAddressAlreadyAllocated'),
    ([{'ip_address': '10.0.0.5'}], 409, 'IpAddressAlreadyAllocated'),
    ([{'ip_address': '10.0.0.255'}], 400, 'InvalidIpForNetwork'),
    ([{'ip_address': '10.9.0.1'}], 400, 'InvalidIpForNetwork'),
    ([{'ip_address': 'ten'}], 400, 'HTTPBadRequest'),
    ([{'subnet_id': '11111111-1111-1111-1111-111111111111'}], 404, 'SubnetNotFound'),
    ([{}], 400, 'HTTPBadRequest'),
])
def test_addresses_that_are_asked_for(site: Site, request_: Any, status: int, expected: Any) -> None:
    network = site.network()
    site.subnet(network)
    site.port(network, fixed_ips=[{'ip_address': '10.0.0.5'}])
    answer = site.port(network, status=status, fixed_ips=request_)
    assert (addresses(answer) if status == 201 else kind(answer)) == expected


@pytest.mark.parametrize('text', ['fd00:1::9%eth0', 'fd00:1::9%\n10.0.0.1\tbank'])
def test_an_address_has_no_zone(site: Site, text: str) -> None:
    """What stands behind the % would reach the files and tables of hosts."""
    network = site.network()
    subnet = site.subnet(network, 'fd00:1::/64', ipv6_ra_mode='dhcpv6-stateful', ipv6_address_mode='dhcpv6-stateful')
    site.port(network, status=400, fixed_ips=[{'ip_address': text}])
    site.port(network, status=400, allowed_address_pairs=[{'ip_address': text}])
    site.port(network, status=400, allowed_address_pairs=[{'ip_address': text + '/128'}])
    for changes in ({'dns_nameservers': [text]}, {'gateway_ip': text},
                    {'host_routes': [{'destination': '::/0', 'nexthop': text}]},
                    {'allocation_pools': [{'start': text, 'end': 'fd00:1::10'}]}):
        site.put(f'/subnets/{subnet["id"]}', {'subnet': changes}, status=400)


@pytest.mark.parametrize('protocol', ['\u00b2', '\u0663', 'tcp\n'])
def test_a_protocol_is_a_name_or_ascii_digits(site: Site, protocol: str) -> None:
    group = site.get('/security-groups')['security_groups'][0]['id']
    site.post('/security-group-rules', {'security_group_rule': {
        'security_group_id': group, 'direction': 'ingress', 'protocol': protocol}}, status=400)


@pytest.mark.parametrize('prefix', ['fe80::%x/64', 'fe80::1%\nx'])
def test_a_prefix_has_no_zone(site: Site, prefix: str) -> None:
    group = site.get('/security-groups')['security_groups'][0]['id']
    site.post('/security-group-rules', {'security_group_rule': {
        'security_group_id': group, 'direction': 'ingress', 'ethertype': 'IPv6', 'remote_ip_prefix': prefix}},
              status=400)


def test_exhaustion(site: Site) -> None:
    network = site.network()
    site.subnet(network, '10.0.0.0/29')
    ports = [site.port(network) for _ in range(5)]
    assert [addresses(port)[0] for port in ports] == [f'10.0.0.{number}' for number in range(2, 7)]
    refused = site.port(network, status=409)
    assert kind(refused) == 'IpAddressGenerationFailure'
    assert '10.0.0.0/29' in refused['NeutronError']['message']
    site.delete(f'/ports/{ports[1]["id"]}')
    assert addresses(site.port(network)) == ['10.0.0.3']


def test_several_pools_fill_one_after_the_other(site: Site) -> None:
    network = site.network()
    site.subnet(network, allocation_pools=[{'start': '10.0.0.20', 'end': '10.0.0.21'},
                                           {'start': '10.0.0.40', 'end': '10.0.0.40'}])
    assert [addresses(site.port(network))[0] for _ in range(3)] == ['10.0.0.20', '10.0.0.21', '10.0.0.40']
    assert kind(site.port(network, status=409)) == 'IpAddressGenerationFailure'


def test_changing_addresses_keeps_what_fits(site: Site) -> None:
    network = site.network()
    first, second = site.subnet(network), site.subnet(network, '10.0.1.0/24')
    port = site.port(network)
    path = f'/ports/{port["id"]}'
    changed = site.put(path, {'port': {'fixed_ips': [{'subnet_id': first['id']}, {'subnet_id': second['id']}]}})['port']
    assert addresses(changed) == ['10.0.0.2', '10.0.1.2']
    changed = site.put(path, {'port': {'fixed_ips': [{'ip_address': '10.0.1.9'}]}})['port']
    assert addresses(changed) == ['10.0.1.9']
    assert addresses(site.port(network, fixed_ips=[{'ip_address': '10.0.0.2'}])) == ['10.0.0.2']


def test_mac_addresses(site: Site) -> None:
    network, other = site.network(), site.network()
    port = site.port(network, mac_address='FA:16:3E:AA:BB:CC')
    assert port['mac_address'] == 'fa:16:3e:aa:bb:cc'
    assert kind(site.port(network, status=409, mac_address='fa:16:3e:aa:bb:cc')) == 'MacAddressInUse'
    site.port(other, mac_address='fa:16:3e:aa:bb:cc')
    assert site.port(network)['mac_address'].startswith('fa:16:3e:')
    assert kind(site.port(network, status=400, mac_address='01:16:3e:aa:bb:cc')) == 'HTTPBadRequest'


def test_binding_needs_a_device_and_an_agent_that_lives(site: Site) -> None:
    network = site.network()
    failed = site.port(network, 'service', **BOUND)
    assert failed['binding:vif_type'] == 'binding_failed'
    assert 'host1 has no network agent' in failed['binding:vif_details']['problem']
    site.agent('host1')
    path = f'/ports/{failed["id"]}'
    bound = site.put(path, {'port': {'binding:host_id': 'host1'}}, 'service')['port']
    assert (bound['binding:vif_type'], bound['status']) == ('tap', 'DOWN')
    assert bound['binding:vif_details'] == {'port_filter': True, 'connectivity': 'l2',
                                            'bridge_name': f'br{network["id"][:11]}'}
    freed = site.put(path, {'port': {'binding:host_id': None, 'device_id': '', 'device_owner': ''}}, 'service')['port']
    assert (freed['binding:vif_type'], freed['binding:host_id'], freed['device_id']) == ('unbound', '', '')
    without_device = site.port(network, 'service', **{'binding:host_id': 'host1'})
    assert without_device['binding:vif_type'] == 'unbound'


def test_a_disabled_or_dead_agent_does_not_bind(site: Site) -> None:
    network = site.network()
    site.agent('host1')
    agent = site.get('/agents', 'admin')['agents'][0]
    site.put(f'/agents/{agent["id"]}', {'agent': {'admin_state_up': False}}, 'admin')
    assert 'disabled' in site.port(network, 'service', **BOUND)['binding:vif_details']['problem']
    site.put(f'/agents/{agent["id"]}', {'agent': {'admin_state_up': True}}, 'admin')
    assert site.port(network, 'service', **BOUND)['binding:vif_type'] == 'tap'
    site.daemon.db.transaction(lambda connection: connection.execute(tables.agents.update().values(
        heartbeat_at=now() - datetime.timedelta(seconds=600))))
    assert 'last heard of' in site.port(network, 'service', **BOUND)['binding:vif_details']['problem']
    assert site.get('/agents?alive=false', 'admin')['agents'][0]['host'] == 'host1'


def test_members_neither_bind_nor_see_bindings(site: Site) -> None:
    network = site.network()
    assert kind(site.port(network, status=403, **{'binding:host_id': 'host1'})) == 'PolicyNotAuthorized'
    port = site.port(network)
    assert not any(name in port for name in ('binding:host_id', 'binding:vif_type', 'binding:vif_details',
                                             'binding:profile'))
    assert port['binding:vnic_type'] == 'normal'


def test_port_security(site: Site) -> None:
    network = site.network()
    port = site.port(network, port_security_enabled=False)
    assert (port['security_groups'], port['port_security_enabled']) == ([], False)
    group = site.get('/security-groups')['security_groups'][0]['id']
    refused = site.port(network, status=400, port_security_enabled=False, security_groups=[group])
    assert kind(refused) == 'PortSecurityAndIPRequiredForSecurityGroups'
    protected = site.port(network)
    refused = site.put(f'/ports/{protected["id"]}', {'port': {'port_security_enabled': False}}, status=409)
    assert kind(refused) == 'PortSecurityPortHasSecurityGroup'
    site.put(f'/ports/{protected["id"]}', {'port': {'port_security_enabled': False, 'security_groups': []}})
    open_network = site.network(port_security_enabled=False)
    assert site.port(open_network)['port_security_enabled'] is False


def test_groups_of_a_port(site: Site) -> None:
    network = site.network()
    group = site.post('/security-groups', {'security_group': {'name': 'web'}})['security_group']
    port = site.port(network, security_groups=[group['id']])
    assert port['security_groups'] == [group['id']]
    assert kind(site.delete(f'/security-groups/{group["id"]}', status=409)) == 'SecurityGroupInUse'
    assert site.put(f'/ports/{port["id"]}', {'port': {'security_groups': []}})['port']['security_groups'] == []
    site.delete(f'/security-groups/{group["id"]}')
    foreign = site.post('/security-groups', {'security_group': {'name': 'x'}}, 'other')['security_group']
    assert kind(site.port(network, status=404, security_groups=[foreign['id']])) == 'SecurityGroupNotFound'


def test_address_pairs_and_names(site: Site) -> None:
    network = site.network(dns_domain='example.org.')
    site.subnet(network)
    port = site.port(network, allowed_address_pairs=[{'ip_address': '10.0.0.200'}], dns_name='db-1')
    assert port['allowed_address_pairs'] == [{'ip_address': '10.0.0.200', 'mac_address': port['mac_address']}]
    assert port['dns_assignment'] == [{'hostname': 'db-1', 'ip_address': '10.0.0.2', 'fqdn': 'db-1.example.org.'}]


def test_bulk_is_all_or_nothing(site: Site) -> None:
    network = site.network()
    site.subnet(network, '10.0.0.0/29')
    made = site.post('/ports', {'ports': [{'network_id': network['id'], 'tags': ['a']} for _ in range(3)]})['ports']
    assert [port['tags'] for port in made] == [['a']] * 3
    site.post('/ports', {'ports': [{'network_id': network['id']} for _ in range(3)]}, status=409)
    assert len(site.get('/ports')['ports']) == 3


def test_a_mac_stays_while_the_port_is_bound(site: Site) -> None:
    site.agent('host1')
    port = site.port(site.network(), 'service', **BOUND)
    refused = site.put(f'/ports/{port["id"]}', {'port': {'mac_address': 'fa:16:3e:00:00:09'}}, 'admin', status=409)
    assert kind(refused) == 'PortBound'
