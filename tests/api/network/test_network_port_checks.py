"""What ports may be: address pairs, MACs, kinds of interface; what keeps a network in use."""

from __future__ import annotations

from typing import Any

import pytest

from compute.builtin.network.control import wiring
from tests.api.network.serving import PROJECTS, Site

MAC = 'fa:16:3e:0a:bb:0c'
OWN = {'ip_address': '10.0.0.5', 'mac_address': MAC}
PORT = {'mac_address': MAC, 'fixed_ips': [{'ip_address': '10.0.0.5'}]}
BOUND = {'binding:host_id': 'host1', 'device_id': '11111111-2222-3333-4444-555555555555',
         'device_owner': 'compute:nova', 'project_id': PROJECTS['demo']}

BOUND_TO = {name: value for name, value in BOUND.items() if name != 'project_id'}


def kind(answer: dict[str, Any]) -> str:
    """Return the type of a refusal."""
    return str(answer['NeutronError']['type'])


@pytest.fixture
def network(site: Site) -> dict[str, Any]:
    made = site.network()
    site.subnet(made)
    return made


@pytest.mark.parametrize(('pairs', 'expected'), [
    ([OWN], 'AddressPairMatchesPortFixedIPAndMac'),
    ([{'ip_address': '10.0.0.5'}], 'AddressPairMatchesPortFixedIPAndMac'),
    ([{'ip_address': '10.0.0.5/32'}], 'AddressPairMatchesPortFixedIPAndMac'),
    ([{'ip_address': '10.0.0.5', 'mac_address': 'FA-16-3E-0A-BB-0C'}], 'AddressPairMatchesPortFixedIPAndMac'),
    ([{'ip_address': '10.0.0.9'}] * 2, 'DuplicateAddressPairInRequest'),
    ([{'ip_address': '10.0.0.9'}, {'ip_address': '10.0.0.9/32', 'mac_address': MAC}], 'DuplicateAddressPairInRequest'),
    ([{'ip_address': 'fd00::1/64'}, {'ip_address': 'FD00::2/64'}], 'DuplicateAddressPairInRequest'),
    ([{'ip_address': f'10.0.1.{number}'} for number in range(11)], 'AllowedAddressPairExhausted'),
    ([{'ip_address': '224.0.0.18'}], 'InvalidInput'), ([{'ip_address': 'ff02::/16'}], 'InvalidInput'),
    ([{'ip_address': '10.0.0.9', 'mac_address': '00:00:00:00:00:00'}], 'HTTPBadRequest'),
    ([{'ip_address': 'ten'}], 'HTTPBadRequest'),
    ([{'ip_address': '10.0.0.9', 'mac_address': 'mac'}], 'HTTPBadRequest')])
def test_address_pairs_that_add_nothing_or_are_none(site: Site, network: dict[str, Any], pairs: list[dict[str, str]],
                                                    expected: str) -> None:
    refused = site.port(network, status=400, allowed_address_pairs=pairs, **PORT)
    assert kind(refused) == expected
    port = site.port(network, **PORT)
    refused = site.put(f'/ports/{port["id"]}', {'port': {'allowed_address_pairs': pairs}}, status=400)
    assert kind(refused) == expected
    assert site.get(f'/ports/{port["id"]}')['port']['allowed_address_pairs'] == []


@pytest.mark.parametrize('pairs', [
    [{'ip_address': '10.0.0.5', 'mac_address': 'fa:16:3e:00:00:99'}], [{'ip_address': '10.0.0.0/24'}],
    [{'ip_address': '10.0.0.9'}, {'ip_address': '10.0.0.9', 'mac_address': 'fa:16:3e:00:00:99'}],
    [{'ip_address': f'10.0.1.{number}'} for number in range(10)]])
def test_address_pairs_that_add_something(site: Site, network: dict[str, Any], pairs: list[dict[str, str]]) -> None:
    shown = site.port(network, allowed_address_pairs=pairs, **PORT)['allowed_address_pairs']
    assert shown == [{'mac_address': MAC, **pair} for pair in pairs]


def test_address_pairs_need_port_security(site: Site, network: dict[str, Any]) -> None:
    pairs = [{'ip_address': '10.0.0.9'}]
    off = {'port_security_enabled': False}
    assert kind(site.port(network, status=409, allowed_address_pairs=pairs, **off)) == (
        'AddressPairAndPortSecurityRequired')
    port = site.port(network, allowed_address_pairs=pairs, security_groups=[])
    path = f'/ports/{port["id"]}'
    assert kind(site.put(path, {'port': off}, status=409)) == 'AddressPairAndPortSecurityRequired'
    site.put(path, {'port': {**off, 'allowed_address_pairs': []}})
    assert kind(site.put(path, {'port': {'allowed_address_pairs': pairs}}, status=409)) == (
        'AddressPairAndPortSecurityRequired')


def test_groups_need_port_security(site: Site) -> None:
    group = site.get('/security-groups')['security_groups'][0]['id']
    network = site.network(port_security_enabled=False)
    asked = site.port(network, security_groups=[group])
    assert (asked['port_security_enabled'], asked['security_groups']) == (True, [group])
    port = site.port(network)
    assert (port['port_security_enabled'], port['security_groups']) == (False, [])
    refused = site.put(f'/ports/{port["id"]}', {'port': {'security_groups': [group]}}, status=400)
    assert kind(refused) == 'PortSecurityAndIPRequiredForSecurityGroups'


def test_a_port_of_the_network_itself_has_no_port_security(site: Site, network: dict[str, Any]) -> None:
    port = site.port(network, device_owner='network:dhcp', device_id='x')
    assert (port['port_security_enabled'], port['security_groups']) == (False, [])
    refused = site.put(f'/ports/{port["id"]}', {'port': {'mac_address': MAC}}, 'admin', status=409)
    assert kind(refused) == 'UnsupportedPortDeviceOwner'


@pytest.mark.parametrize('text', ['FA:16:3E:0A:BB:0C', 'fa-16-3e-0a-bb-0c', 'fa163e0abb0c', 'fa16.3e0a.bb0c'])
def test_a_mac_in_any_spelling_is_the_same(site: Site, network: dict[str, Any], text: str) -> None:
    port = site.port(network, mac_address=text)
    assert port['mac_address'] == MAC
    assert kind(site.port(network, status=409, mac_address=MAC)) == 'MacAddressInUse'
    for spelling in (text, MAC, MAC.upper()):
        found = site.get(f'/ports?mac_address={spelling}')['ports']
        assert [one['id'] for one in found] == [port['id']]
    assert site.get('/ports?mac_address=nonsense')['ports'] == []


@pytest.mark.parametrize('text', ['00:00:00:00:00:00', '000000000000', '01:16:3e:00:00:01', 'fa:16:3e', ''])
def test_a_bad_mac_is_refused(site: Site, network: dict[str, Any], text: str) -> None:
    assert 'mac_address' in site.port(network, status=400, mac_address=text)['NeutronError']['message']
    port = site.port(network)
    site.put(f'/ports/{port["id"]}', {'port': {'mac_address': text}}, 'admin', status=400)


def test_null_makes_a_new_mac(site: Site, network: dict[str, Any]) -> None:
    port = site.port(network, mac_address='fa:16:3e:00:00:01')
    changed = site.put(f'/ports/{port["id"]}', {'port': {'mac_address': None}}, 'admin')['port']
    assert changed['mac_address'].startswith('fa:16:3e:') and changed['mac_address'] != port['mac_address']
    taken = site.port(network)
    refused = site.put(f'/ports/{port["id"]}', {'port': {'mac_address': taken['mac_address']}}, 'admin', status=409)
    assert kind(refused) == 'MacAddressInUse'


def test_a_port_by_its_address_in_any_spelling(site: Site, network: dict[str, Any]) -> None:
    site.subnet(network, 'fd00:1::/64', ipv6_ra_mode='dhcpv6-stateful', ipv6_address_mode='dhcpv6-stateful')
    port = site.port(network, fixed_ips=[{'ip_address': 'FD00:1:0::00A'}])
    for text in ('fd00:1::a', 'FD00:1:0:0::A', 'fd00:0001::000a'):
        assert [one['id'] for one in site.get(f'/ports?fixed_ips=ip_address={text}')['ports']] == [port['id']]
    assert site.get('/ports?fixed_ips=ip_address=nonsense')['ports'] == []


@pytest.mark.parametrize('value', ['sriov', '', 'NORMAL', 'x' * 64])
def test_an_unknown_kind_of_interface_is_refused(site: Site, network: dict[str, Any], value: str) -> None:
    refused = site.port(network, status=400, **{'binding:vnic_type': value})
    assert kind(refused) == 'InvalidInput' and 'normal' in refused['NeutronError']['message']
    port = site.port(network)
    site.put(f'/ports/{port["id"]}', {'port': {'binding:vnic_type': value}}, status=400)


def test_the_kind_of_interface_stays_while_a_port_is_bound(site: Site, network: dict[str, Any]) -> None:
    site.agent('host1')
    port = site.port(network, 'service', **BOUND)
    path = f'/ports/{port["id"]}'
    refused = site.put(path, {'port': {'binding:vnic_type': 'direct'}}, status=409)
    assert kind(refused) == 'PortInUse' and 'host1' not in str(refused)
    site.put(path, {'port': {'binding:vnic_type': 'normal', 'name': 'x'}})
    free = site.port(network)
    changed = site.put(f'/ports/{free["id"]}', {'port': {'binding:vnic_type': 'direct'}})['port']
    assert changed['binding:vnic_type'] == 'direct'


def test_ports_that_keep_something_in_use_are_named(site: Site, network: dict[str, Any]) -> None:
    subnet, group = network_parts(site, network)
    held = sorted(site.port(network, security_groups=[group])['id'] for _ in range(12))
    for path, expected in ((f'/networks/{network["id"]}', 'NetworkInUse'), (f'/subnets/{subnet}', 'SubnetInUse'),
                           (f'/security-groups/{group}', 'SecurityGroupInUse')):
        refused = site.delete(path, status=409)
        assert kind(refused) == expected
        assert f'{", ".join(held[:10])} and 2 more' in refused['NeutronError']['message']


def test_ports_of_the_network_itself_go_with_it(site: Site, network: dict[str, Any]) -> None:
    subnet, _ = network_parts(site, network)
    port = site.port(network, device_owner='network:dhcp')
    site.delete(f'/subnets/{subnet}')
    assert site.get(f'/ports/{port["id"]}')['port']['fixed_ips'] == []
    site.delete(f'/networks/{network["id"]}')
    site.get(f'/ports/{port["id"]}', status=404)


def network_parts(site: Site, network: dict[str, Any]) -> tuple[str, str]:
    """Return the ids of the network's subnet and of a new security group."""
    group = site.post('/security-groups', {'security_group': {'name': 'g'}})['security_group']['id']
    return site.get(f'/networks/{network["id"]}')['network']['subnets'][0], group


@pytest.mark.parametrize(('pair', 'member'), [('10.0.0.9', '10.0.0.9/32'), ('10.0.0.0/24', '10.0.0.0/24'),
                                              ('172.16.0.0/28', '172.16.0.0/28'), ('10.0.0.0/23', None),
                                              ('0.0.0.0/0', None), ('::/0', None), ('fd00::/64', 'fd00::/64')])
def test_a_wide_address_pair_opens_no_port_of_its_group(site: Site, network: dict[str, Any], pair: str,
                                                        member: str | None) -> None:
    """A pair 0.0.0.0/0 let everybody reach the members of a group whose rules name that group."""
    site.agent('host1')
    port = site.port(network, allowed_address_pairs=[{'ip_address': pair}])
    site.put(f'/ports/{port["id"]}', {'port': BOUND_TO}, 'service')
    with site.daemon.db.engine.connect() as connection:
        rules = wiring.of_host(connection, 'host1', site.daemon.app.options)[0].ports[0].rules
    remotes = {text for rule in rules if rule.direction == 'ingress' for text in rule.remote}
    assert remotes == {f'{port["fixed_ips"][0]["ip_address"]}/32'} | ({member} if member else set())
