"""What dnsmasq is told."""

from __future__ import annotations

import pytest

from compute.builtin.network.agent.linux import dhcp_files, plan
from compute.builtin.network.agent.linux.dhcp import _stale_leases
from compute.builtin.network.agent.linux.indexes import Indexes, write_atomically
from compute.builtin.network.agent.linux.plan import own_gateways
from compute.exception import Unavailable
from compute.objects.nic import FixedIp, Subnet
from tests.contract.network_agent.making import make_network, make_port

PLACE = dhcp_files.Place('/state', 'nobody', '/etc/resolv.conf')


def test_hosts_have_their_addresses_and_names() -> None:
    files = dhcp_files.make(make_network(make_port(1), make_port(2, hostname='bad name\nx')), PLACE)
    assert files.hosts == ('fa:16:3e:00:00:01,10.1.0.11,guest-1,86400s\n'
                           'fa:16:3e:00:00:02,10.1.0.12,86400s\n')
    assert files.names == '10.1.0.11\tguest-1\n'


def test_options_of_a_subnet() -> None:
    subnet = Subnet(id='four', cidr='10.1.0.0/24', gateway='10.1.0.1', dns=('9.9.9.9', '2620:fe::fe'),
                    routes=(('10.5.0.0/16', '10.1.0.7'),))
    lines = dhcp_files.make(make_network(make_port(1), subnets=(subnet,), mtu=1450), PLACE).options.splitlines()
    routes = '169.254.169.254/32,10.1.0.1,10.5.0.0/16,10.1.0.7,0.0.0.0/0,10.1.0.1'
    assert lines == [f'tag:subnet-four,option:classless-static-route,{routes}', f'tag:subnet-four,249,{routes}',
                     'tag:subnet-four,option:router,10.1.0.1', 'tag:subnet-four,option:dns-server,9.9.9.9',
                     'tag:subnet-four,option:mtu,1450', 'tag:subnet-four,option:domain-name,novalocal']


@pytest.mark.parametrize('none', ['0.0.0.0', '::'])  # noqa: S104
def test_the_unspecified_address_as_name_server_announces_none(none: str) -> None:
    subnets = (Subnet(id='four', cidr='10.1.0.0/24', gateway='10.1.0.1', dns=(none,)),
               Subnet(id='six', cidr='fd00::/64', version=6, gateway='fd00::1', dns=(none,)))
    lines = dhcp_files.make(make_network(make_port(1), subnets=subnets), PLACE).options.splitlines()
    assert 'tag:subnet-four,option:dns-server' in lines and 'tag:subnet-six,option6:dns-server' in lines


def test_subnet_without_gateway_routes_only_metadata() -> None:
    files = dhcp_files.make(make_network(make_port(1), gateway=None), PLACE)
    assert 'classless-static-route,169.254.169.254/32,0.0.0.0\n' in files.options
    assert 'option:router\n' in files.options and 'dns-server,169.254.169.254' in files.options
    assert 'shared-network=guests,10.1.0.0' in files.config


def test_a_gateway_outside_its_subnet_is_on_the_link() -> None:
    subnet = Subnet(id='four', cidr='10.1.0.0/24', gateway='10.9.0.1')
    network = make_network(make_port(1), subnets=(subnet,))
    files = dhcp_files.make(network, PLACE)
    assert 'route,10.9.0.1/32,0.0.0.0,169.254.169.254/32,10.9.0.1,0.0.0.0/0,10.9.0.1\n' in files.options
    assert 'shared-network=guests,10.1.0.0' in files.config
    made = plan.make(network, 1, '169.254.0.0/16')
    assert '10.9.0.1/32' in made.addresses and made.onlink == ('10.1.0.0/24',)


@pytest.mark.parametrize(('gateway', 'address', 'onlink'), [
    ('fd00::1', 'fd00::1/64', ()), ('fe80::1', 'fe80::1/64', ('fd00::/64',)),
    ('fd01::1', 'fd01::1/128', ('fd00::/64',))])
def test_an_ipv6_gateway_shares_its_link(gateway: str, address: str, onlink: tuple[str, ...]) -> None:
    network = make_network(subnets=(Subnet(id='six', cidr='fd00::/64', version=6, gateway=gateway),))
    made = plan.make(network, 1, '169.254.0.0/16')
    assert address in made.addresses and made.onlink == onlink


def test_guest_that_is_the_gateway_keeps_its_address() -> None:
    network = make_network(make_port(1, '10.1.0.1'))
    assert own_gateways(network) == {}
    assert '0.0.0.0/0,10.1.0.1' in dhcp_files.make(network, PLACE).options


def test_servers_are_asked_instead_of_resolv_conf() -> None:
    place = dhcp_files.Place('/state', 'nobody', '/etc/resolv.conf', ('192.0.2.53',))
    assert 'server=192.0.2.53' in dhcp_files.make(make_network(make_port(1)), place).config
    assert 'resolv-file=/etc/resolv.conf' in dhcp_files.make(make_network(make_port(1)), PLACE).config


@pytest.mark.parametrize(('address', 'mode'), [
    ('fd00::f816:3eff:fe00:1', 'ra-stateless'), ('fd00::5', 'static')])
def test_ipv6_follows_the_addresses(address: str, mode: str) -> None:
    subnets = (Subnet(id='six', cidr='fd00::/64', version=6, gateway='fd00::1'),)
    port = make_port(1, fixed_ips=(FixedIp(address=address, subnet_id='six', version=6),))
    files = dhcp_files.make(make_network(port, subnets=subnets), PLACE)
    assert f'dhcp-range=set:subnet-six,fd00::,{mode},64,86400s' in files.config
    assert files.hosts == f'fa:16:3e:00:00:01,[{address}],guest-1,86400s\n'


@pytest.mark.parametrize('address', ['fd00::f816:3eff:fe00:1', 'fd00::5'])
@pytest.mark.parametrize(('given', 'mode'), [
    ('slaac', 'ra-stateless'), ('dhcpv6-stateless', 'ra-stateless'), ('dhcpv6-stateful', 'static')])
def test_ipv6_follows_the_mode_of_a_subnet_that_has_one(given: str, mode: str, address: str) -> None:
    subnets = (Subnet(id='six', cidr='fd00::/64', version=6, gateway='fd00::1', ipv6_address_mode=given),)
    port = make_port(1, fixed_ips=(FixedIp(address=address, subnet_id='six', version=6),))
    for network in (make_network(port, subnets=subnets), make_network(subnets=subnets)):
        assert f'dhcp-range=set:subnet-six,fd00::,{mode},64,86400s' in dhcp_files.make(network, PLACE).config


@pytest.mark.parametrize(('given', 'kept'), [
    ('Example.ORG.', 'example.org'), ('a b', ''), ('x\nport=0', ''), ('', ''), ('a' * 64, '')])
def test_domain_is_a_domain_or_nothing(given: str, kept: str) -> None:
    assert dhcp_files.domain_name(make_network(make_port(1), dns_domain=given)) == kept


def test_lease_of_another_mac_is_stale(tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / 'leases').write_text('1 fa:16:3e:00:00:01 10.1.0.11 a *\n1 fa:16:3e:00:00:09 10.1.0.12 b *\n'
                                     '1 fa:16:3e:00:00:08 10.1.0.99 c *\nduid 00:01\n')
    hosts = dhcp_files.make(make_network(make_port(1), make_port(2)), PLACE).hosts
    assert _stale_leases(str(tmp_path), hosts) == {'10.1.0.12'}


def test_indexes_are_small_kept_and_limited(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = str(tmp_path / 'indexes.json')
    indexes = Indexes(path, 2)
    assert (indexes.number('a'), indexes.number('b'), indexes.number('a')) == (1, 2, 1)
    with pytest.raises(Unavailable, match='room for 2'):
        indexes.number('c')
    indexes.release('a')
    assert Indexes(path, 2).number('c') == 1 and Indexes(path, 2).known() == {'b', 'c'}


def test_write_tells_whether_it_changed_anything(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = str(tmp_path / 'file')
    assert write_atomically(path, 'one') and not write_atomically(path, 'one') and write_atomically(path, 'two')
