"""Subnets: those that cannot work are refused with the reason, null is the default, what lists may hold."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.network.serving import Site

STATEFUL = {'ipv6_ra_mode': 'dhcpv6-stateful', 'ipv6_address_mode': 'dhcpv6-stateful'}


def refused(site: Site, status: int = 400, **values: Any) -> dict[str, Any]:
    """Try to make a subnet and return the refusal."""
    body = {'network_id': site.network()['id'], 'cidr': '10.0.0.0/24', **values}
    body.setdefault('ip_version', 6 if ':' in body['cidr'] else 4)
    return dict(site.post('/subnets', {'subnet': body}, status=status)['NeutronError'])


@pytest.mark.parametrize(('cidr', 'why'), [
    ('0.0.0.0/0', 'prefix length 0'), ('0.0.0.0/8', '0.0.0.0/8'), ('0.1.0.0/16', '0.0.0.0/8'),
    ('0.0.0.0/4', '0.0.0.0/8'),
    ('127.0.0.0/24', 'loopback'), ('96.0.0.0/3', 'loopback'), ('169.254.0.0/24', 'addresses of a link'),
    ('169.254.169.254/32', 'addresses of a link'), ('224.0.0.0/24', 'multicast'),
    ('128.0.0.0/1', 'addresses of a link'),
    ('255.255.255.0/24', 'broadcast'), ('240.0.0.0/4', 'broadcast'), ('::/0', 'prefix length 0'),
    ('::/64', 'unspecified'), ('::1/128', 'unspecified'), ('::/3', 'unspecified'),
    ('::ffff:10.0.0.0/120', 'IPv4-mapped'), ('::ffff:0:0/96', 'IPv4-mapped'), ('fe80::/64', 'addresses of a link'),
    ('ff02::/64', 'multicast'), ('f000::/4', 'addresses of a link')])
@pytest.mark.parametrize('dhcp', [True, False])
def test_addresses_that_hosts_cannot_have(site: Site, cidr: str, why: str, dhcp: bool) -> None:
    error = refused(site, cidr=cidr, enable_dhcp=dhcp)
    assert error['type'] == 'InvalidInput' and why in error['message'] and 'cidr' in error['message']


@pytest.mark.parametrize('cidr', ['1.0.0.0/8', '100.64.0.0/10', '192.0.2.0/24', '198.18.0.0/15', '240.1.0.0/16',
                                  '10.0.0.0/30', 'fc00::/7', '2000::/3', '0:0:0:1::/64', 'fd00::/126'])
def test_other_networks_are_accepted(site: Site, cidr: str) -> None:
    assert site.subnet(site.network(), cidr)['cidr'] == cidr


@pytest.mark.parametrize(('cidr', 'longest'), [('10.0.0.0/31', 30), ('10.0.0.1/32', 30), ('fd00::/127', 126),
                                               ('fd00::1/128', 126)])
def test_dhcp_needs_room(site: Site, cidr: str, longest: int) -> None:
    error = refused(site, cidr=cidr)
    assert error['type'] == 'InvalidInput' and f'{longest} at most' in error['message']
    made = site.subnet(site.network(), cidr, enable_dhcp=False, gateway_ip=None)
    site.put(f'/subnets/{made["id"]}', {'subnet': {'enable_dhcp': True}}, status=400)
    site.put(f'/subnets/{made["id"]}', {'subnet': {'name': 'narrow', 'enable_dhcp': False}})


@pytest.mark.parametrize('cidr', ['10.0.0.1/32', 'fd00::1/128'])
def test_a_gateway_leaves_an_address_for_ports(site: Site, cidr: str) -> None:
    error = refused(site, cidr=cidr, enable_dhcp=False)
    assert 'the only address' in error['message'] and 'gateway_ip' in error['message']
    network = site.network()
    site.subnet(network, cidr, enable_dhcp=False, gateway_ip=None)
    assert site.port(network)['fixed_ips'][0]['ip_address'] == cidr.partition('/')[0]


@pytest.mark.parametrize('cidr', ['10.0.0.0/31', 'fd00::/127'])
def test_two_addresses_are_gateway_and_port(site: Site, cidr: str) -> None:
    network = site.network()
    site.subnet(network, cidr, enable_dhcp=False)
    site.port(network)
    site.port(network, status=409)


@pytest.mark.parametrize('mode', ['slaac', 'dhcpv6-stateless'])
@pytest.mark.parametrize('names', [('ipv6_ra_mode',), ('ipv6_address_mode',), ('ipv6_ra_mode', 'ipv6_address_mode')])
def test_automatic_addresses_need_64_bits(site: Site, mode: str, names: tuple[str, ...]) -> None:
    assert '64 bits' in refused(site, cidr='fd00::/65', **dict.fromkeys(names, mode))['message']


DEFAULTS: dict[str, Any] = {
    'allocation_pools': [{'start': '10.0.0.2', 'end': '10.0.0.254'}], 'dns_nameservers': [], 'host_routes': [],
    'service_types': [], 'name': '', 'description': '', 'ipv6_ra_mode': None, 'ipv6_address_mode': None}


@pytest.mark.parametrize('name', DEFAULTS)
def test_null_is_the_default_of_a_subnet(site: Site, name: str) -> None:
    made = site.subnet(site.network(), **{name: None})
    assert made[name] == DEFAULTS[name]


@pytest.mark.parametrize(('path', 'singular', 'name', 'default'), [
    ('/networks', 'network', 'availability_zone_hints', []), ('/networks', 'network', 'mtu', 1500),
    ('/networks', 'network', 'dns_domain', ''), ('/networks', 'network', 'name', ''),
    ('/networks', 'network', 'description', ''), ('/ports', 'port', 'allowed_address_pairs', []),
    ('/ports', 'port', 'device_id', ''), ('/ports', 'port', 'device_owner', ''), ('/ports', 'port', 'dns_name', ''),
    ('/ports', 'port', 'tags', []), ('/ports', 'port', 'binding:vnic_type', 'normal'), ('/ports', 'port', 'name', ''),
    ('/security-groups', 'security_group', 'description', ''), ('/security-groups', 'security_group', 'name', '')])
def test_null_is_the_default(site: Site, path: str, singular: str, name: str, default: Any) -> None:
    own = {'network_id': site.network()['id']} if singular == 'port' else {}
    made = site.post(path, {singular: {**own, name: None}})[singular]
    assert made[name] == default


def test_null_for_what_a_port_gets_by_itself(site: Site) -> None:
    network = site.network()
    site.subnet(network)
    made = site.port(network, mac_address=None, fixed_ips=None, security_groups=None, extra_dhcp_opts=None)
    assert made['mac_address'].startswith('fa:16:3e:') and made['fixed_ips'][0]['ip_address'] == '10.0.0.2'
    assert made['security_groups'] == [site.get('/security-groups')['security_groups'][0]['id']]


def test_null_makes_the_pools_the_default_again(site: Site) -> None:
    made = site.subnet(site.network(), allocation_pools=[{'start': '10.0.0.20', 'end': '10.0.0.30'}])
    path = f'/subnets/{made["id"]}'
    assert site.put(path, {'subnet': {'allocation_pools': None}})['subnet']['allocation_pools'] == (
        DEFAULTS['allocation_pools'])
    changed = site.put(path, {'subnet': {'allocation_pools': None, 'gateway_ip': '10.0.0.254'}})['subnet']
    assert changed['allocation_pools'] == [{'start': '10.0.0.1', 'end': '10.0.0.253'}]


@pytest.mark.parametrize('cidr', ['10.0.0.0/24', 'fd00::/64'])
def test_the_unspecified_address_as_name_server_stands_alone(site: Site, cidr: str) -> None:
    none, other = ('::', 'fd00::53') if ':' in cidr else ('0.0.0.0', '9.9.9.9')  # noqa: S104
    made = site.subnet(site.network(), cidr, dns_nameservers=[none])
    assert made['dns_nameservers'] == [none]
    assert 'stands alone' in refused(site, cidr=cidr, dns_nameservers=[other, none])['message']
    site.put(f'/subnets/{made["id"]}', {'subnet': {'dns_nameservers': [none, other]}}, status=400)


@pytest.mark.parametrize(('values', 'kind'), [
    ({'dns_nameservers': [f'10.0.0.{number}' for number in range(6)]}, 'DNSNameServersExhausted'),
    ({'dns_nameservers': ['9.9.9.9', '9.9.9.9']}, 'HTTPBadRequest'),
    ({'host_routes': [{'destination': f'10.{number}.0.0/16', 'nexthop': '10.0.0.9'} for number in range(21)]},
     'HostRoutesExhausted'),
    ({'host_routes': [{'destination': '10.1.0.0/16', 'nexthop': '10.0.0.9'},
                      {'destination': '10.1.2.0/16', 'nexthop': '10.0.0.9'}]}, 'HTTPBadRequest'),
    ({'host_routes': [{'destination': 'nowhere', 'nexthop': '10.0.0.9'}]}, 'HTTPBadRequest'),
    ({'host_routes': [{'destination': 'fd00::/64', 'nexthop': 'fd00::1'}]}, 'HTTPBadRequest'),
    ({'gateway_ip': '10.0.0.0'}, 'InvalidInput'), ({'gateway_ip': '10.0.0.255'}, 'InvalidInput'),
    ({'gateway_ip': 'fd00::1'}, 'HTTPBadRequest')])
def test_lists_and_gateways_are_checked_when_made_and_changed(site: Site, values: dict[str, Any], kind: str) -> None:
    assert refused(site, **values)['type'] == kind
    made = site.subnet(site.network())
    answer = site.put(f'/subnets/{made["id"]}', {'subnet': values}, status=400)['NeutronError']
    assert answer['type'] == kind and next(iter(values)) in answer['message']


def test_a_subnet_says_whether_its_network_is_external(site: Site) -> None:
    outside = site.subnet(site.network('out', 'admin', **{'router:external': True}), user='admin')
    inside = site.subnet(site.network('in'), '10.1.0.0/24')
    shared = site.subnet(site.network('all', 'admin', shared=True), '10.2.0.0/24', user='admin')
    assert (outside['router:external'], inside['router:external']) == (True, False)
    assert site.get(f'/subnets/{outside["id"]}')['subnet']['router:external'] is True
    assert site.get(f'/subnets/{outside["id"]}?fields=router:external')['subnet'] == {'router:external': True}

    def ids(query: str) -> set[str]:
        return {item['id'] for item in site.get(f'/subnets?{query}')['subnets']}
    assert ids('router:external=True') == {outside['id']}
    assert ids('router:external=false') == {inside['id'], shared['id']}
    assert ids('shared=True') == {shared['id']}
    assert ids('router:external=True&router:external=False') == {outside['id'], inside['id'], shared['id']}
    site.get('/subnets?router:external=perhaps', status=400)
    site.post('/subnets', {'subnet': {'network_id': inside['network_id'], 'cidr': '10.9.0.0/24',
                                      'router:external': True}}, status=400)


def test_the_alias_of_what_subnets_say_is_there(site: Site) -> None:
    assert site.get('/extensions/subnet-external-network')['extension'] in site.get('/extensions')['extensions']


@pytest.mark.parametrize(('cidr', 'gateway'), [('10.0.0.0/24', '10.9.0.1'), ('fd00::/64', 'fd00:9::1'),
                                               ('fd00::/64', 'fe80::1')])
def test_a_gateway_may_be_outside(site: Site, cidr: str, gateway: str) -> None:
    network = site.network()
    made = site.subnet(network, cidr, gateway_ip=gateway)
    assert made['gateway_ip'] == gateway
    assert made['allocation_pools'][0]['start'] in ('10.0.0.1', 'fd00::1')
    site.put(f'/subnets/{made["id"]}', {'subnet': {'gateway_ip': gateway}})


@pytest.mark.parametrize('gateway', ['0.0.0.0', '127.0.0.1', '224.0.0.1', '169.254.169.254',  # noqa: S104
                                     '255.255.255.255'])
def test_a_gateway_outside_is_an_address_of_a_host(site: Site, gateway: str) -> None:
    assert 'gateway_ip' in refused(site, gateway_ip=gateway)['message']
