"""network_data.json: what a guest's network is made of, by DHCP, by router advertisements and by itself."""

from __future__ import annotations

from typing import Any

import pytest

from compute.objects.network_documents import network_data
from compute.objects.nic import FixedIp, Nic, Subnet

V4 = Subnet(id='v4', cidr='10.0.0.0/24', gateway='10.0.0.1', dns=('9.9.9.9',), routes=(('10.8.0.0/16', '10.0.0.7'),))
V6: dict[str, Any] = {'id': 'v6', 'version': 6, 'cidr': 'fd00:1::/64', 'gateway': 'fd00:1::1', 'dns': ('fd00::53',),
                      'routes': (('fd00:9::/48', 'fd00:1::9'),)}
IPV4 = FixedIp(address='10.0.0.5', subnet_id='v4')
IPV6 = FixedIp(address='fd00:1::5', subnet_id='v6', version=6)
ROUTES6 = [{'network': '::', 'netmask': '::', 'gateway': 'fd00:1::1'},
           {'network': 'fd00:9::', 'netmask': 'ffff:ffff:ffff::', 'gateway': 'fd00:1::9'}]
IN_FULL = {'ip_address': 'fd00:1::5', 'netmask': 'ffff:ffff:ffff:ffff::', 'routes': ROUTES6,
           'services': [{'type': 'dns', 'address': 'fd00::53'}]}


def nic(*subnets: Subnet, ips: tuple[FixedIp, ...] = (IPV4, IPV6)) -> Nic:
    return Nic(port_id='port', network_id='net', mac='fa:16:3e:00:00:01', device='tapport', vif_type='tap', mtu=1450,
               fixed_ips=ips, subnets=subnets)


@pytest.mark.parametrize('mode', ['slaac', 'dhcpv6-stateful', 'dhcpv6-stateless'])
def test_an_ipv6_subnet_with_a_mode_is_described_in_full(mode: str) -> None:
    found = network_data((nic(Subnet(**V6, ipv6_address_mode=mode)),))['networks']
    assert found == [{'id': 'network0', 'link': 'tapport', 'network_id': 'net', 'type': f'ipv6_{mode}', **IN_FULL}]


def test_dhcp_without_a_mode_says_only_that() -> None:
    found = network_data((nic(V4, Subnet(**V6)),))
    assert found['networks'] == [
        {'id': 'network0', 'link': 'tapport', 'network_id': 'net', 'type': 'ipv4_dhcp'},
        {'id': 'network1', 'link': 'tapport', 'network_id': 'net', 'type': 'ipv6_dhcp'}]
    assert [service['address'] for service in found['services']] == ['9.9.9.9', 'fd00::53']


def test_a_static_subnet_is_described_in_full() -> None:
    found = network_data((nic(Subnet(**V6, enable_dhcp=False)),))['networks']
    assert found == [{'id': 'network0', 'link': 'tapport', 'network_id': 'net', 'type': 'ipv6', **IN_FULL}]


@pytest.mark.parametrize(('subnets', 'mtu'), [
    ((V4,), None), ((Subnet(**V6, ipv6_address_mode='slaac'),), None),
    ((Subnet(id='v4', cidr='10.0.0.0/24', enable_dhcp=False),), 1450),
    ((Subnet(id='v4', cidr='10.0.0.0/24', enable_dhcp=False), Subnet(**V6)), None), ((), 1450)])
def test_the_mtu_is_stated_where_nothing_on_the_link_announces_it(subnets: tuple[Subnet, ...], mtu: int | None) -> None:
    assert network_data((nic(*subnets),))['links'][0]['mtu'] == mtu


def test_a_second_address_makes_no_second_dhcp_client() -> None:
    second = FixedIp(address='10.0.0.6', subnet_id='v4')
    assert len(network_data((nic(V4, ips=(IPV4, second)),))['networks']) == 1
    static = Subnet(id='v4', cidr='10.0.0.0/24', enable_dhcp=False)
    found = network_data((nic(static, ips=(IPV4, second)),))['networks']
    assert [(one['id'], one['ip_address']) for one in found] == [('network0', '10.0.0.5'), ('network1', '10.0.0.6')]


@pytest.mark.parametrize('subnet', [
    Subnet(id='v4', cidr='10.0.0.0/24', dns=('0.0.0.0',), enable_dhcp=False),  # noqa: S104
    Subnet(id='v4', cidr='fd00:1::/64', version=6, dns=('::',), ipv6_address_mode='slaac')])
def test_the_unspecified_address_is_no_name_server(subnet: Subnet) -> None:
    found = network_data((nic(subnet, ips=(IPV4,)),))
    assert found['services'] == found['networks'][0]['services'] == []
