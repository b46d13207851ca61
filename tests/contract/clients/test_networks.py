"""The Networks client: the fake and, over HTTP, the built-in daemon keep the same contract."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from compute import exception
from compute.clients.fake.network import FakeNetworks
from compute.clients.network import Networks, RestNetworks
from compute.context import RequestContext
from compute.objects.nic import device_name
from tests.api.network.serving import PROJECTS, Site
from tests.contract.clients.cloud import TinyIdentity, connect, make_conf

DEMO, OTHER = PROJECTS['demo'], PROJECTS['other']
USERS = {DEMO: 'demo', OTHER: 'other', PROJECTS['admin']: 'admin'}


def caller(project: str) -> RequestContext:
    return RequestContext(auth_token=USERS[project], user_id='u', project_id=project, roles=['member'],
                          overwrite=False)


class Bed:
    """A client, a host ``host1`` that can bind, one ``broken`` that cannot, and the ways in which users fill it."""

    def __init__(self, client: Networks, network: Callable[..., str], port: Callable[..., str],
                 wire: Callable[[str], None], limit: Callable[[int], Any], fail: Callable[[str, str], None],
                 trouble: Callable[[str], None]) -> None:
        self.client, self.network, self.port, self.wire, self.limit = client, network, port, wire, limit
        self.fail, self.trouble = fail, trouble  # what the agent of host1 reports: of a port, of its host

    def create(self, network_id: str, server: str, **more: Any) -> Any:
        """Make a port for a server as the worker does."""
        return self.client.create_port(None, network_id, **{'project_id': DEMO, 'device_id': server, 'host': 'host1',
                                                            'zone': 'nova', 'hostname': 'vm-1', **more})


@pytest.fixture(params=['fake', 'rest'])
def bed(request: pytest.FixtureRequest) -> Iterator[Bed]:
    if request.param == 'fake':
        fake = FakeNetworks()
        fake.broken_hosts.add('broken')
        fake.agents.add('host1')
        yield Bed(fake, functools.partial(fake_network, fake), functools.partial(fake_port, fake), lambda port_id: None,
                  lambda number: setattr(fake, 'port_quota', number), fake.fail_port,
                  lambda reason: fake.agent_problems.update(host1=(reason,)))
        return
    site = Site(max_limit=4)  # so that long lists have several pages
    site.agent('host1')
    conf = make_conf()
    connect(conf, {'identity': TinyIdentity({'network': 'http://network'}, 'service'), 'network': site.wsgi})
    yield Bed(RestNetworks(conf), functools.partial(rest_network, site), functools.partial(rest_port, site),
              lambda port_id: site.reports.port_up(None, host='host1', port_id=port_id),
              lambda number: site.put(f'/quotas/{DEMO}', {'quota': {'port': number}}, user='admin'),
              lambda port_id, reason: site.reports.port_failed(None, host='host1', port_id=port_id, reason=reason),
              lambda reason: site.agent('host1', problems=(reason,)))
    site.close()


def fake_network(fake: FakeNetworks, *, project: str = DEMO, cidr: str | None = '10.0.0.0/24', shared: bool = False,
                 **subnet: Any) -> str:
    network_id = fake.add_network(project_id=project, shared=shared, cidr=None, name='net')
    if cidr:
        fake.add_subnet(network_id, cidr, **subnet)
    return network_id


def fake_port(fake: FakeNetworks, network_id: str, *, project: str = DEMO, **more: Any) -> str:
    return fake.add_port(network_id, project_id=project, **more)


def rest_network(site: Site, *, project: str = DEMO, cidr: str | None = '10.0.0.0/24', shared: bool = False,
                 **subnet: Any) -> str:
    user = 'admin' if shared else USERS[project]
    network = site.network(user=user, project_id=project, **({'shared': True} if shared else {}))
    if cidr:
        site.subnet(network, cidr, user=user, **subnet)
    return str(network['id'])


def rest_port(site: Site, network_id: str, *, project: str = DEMO, fixed_ip: str | None = None) -> str:
    more = {'fixed_ips': [{'ip_address': fixed_ip}]} if fixed_ip else {}
    return str(site.port({'id': network_id}, user=USERS[project], **more)['id'])


def test_lists_own_and_shared_networks_once(bed: Bed) -> None:
    own, shared = bed.network(), bed.network(project=OTHER, shared=True, cidr='10.9.0.0/24')
    bed.network(project=OTHER, cidr='10.8.0.0/24')
    found = bed.client.networks(caller(DEMO))
    assert sorted(network.id for network in found) == sorted([own, shared])
    assert {network.id: network.shared for network in found} == {own: False, shared: True}
    assert all(network.has_subnets and not network.external for network in found)


def test_a_network_without_subnets_says_so(bed: Bed) -> None:
    network = bed.client.network(caller(DEMO), bed.network(cidr=None))
    assert (network.name, network.has_subnets, network.project_id) == ('net', False, DEMO)


@pytest.mark.parametrize('item_id', ['3b0f8a52-6c1e-4a55-9d3f-0d4c8be0e001', 'net', '../ports', ''])
def test_what_is_not_there_is_not_found(bed: Bed, item_id: str) -> None:
    for call in (bed.client.network, bed.client.port, bed.client.port_status):
        with pytest.raises(exception.NotFound):
            call(caller(DEMO), item_id)


def test_a_foreign_network_and_port_are_not_found(bed: Bed) -> None:
    network_id = bed.network(project=OTHER)
    port_id = bed.port(network_id, project=OTHER)
    for call, item_id in ((bed.client.network, network_id), (bed.client.port, port_id)):
        with pytest.raises(exception.NotFound):
            call(caller(DEMO), item_id)
    assert bed.client.port(None, port_id).project_id == OTHER


def test_a_project_has_a_default_security_group(bed: Bed) -> None:
    assert [group.name for group in bed.client.security_groups(caller(DEMO))] == ['default']


def test_a_created_port_is_bound_and_completely_filled(bed: Bed) -> None:
    network_id = bed.network(dns_nameservers=['9.9.9.9'],
                             host_routes=[{'destination': '10.7.0.0/24', 'nexthop': '10.0.0.9'}])
    group = bed.client.security_groups(caller(DEMO))[0].id
    nic = bed.create(network_id, 's1')
    assert nic.network_id == network_id and nic.network_name == 'net' and nic.device == device_name(nic.port_id)
    assert nic.vif_type in ('tap', 'bridge') and nic.vif_details['port_filter'] == 'true'
    assert nic.mac.count(':') == 5 and nic.mtu > 1000 and nic.owned and nic.security_groups == (group,)
    address, subnet = nic.fixed_ips[0], nic.subnets[0]
    assert address.address.startswith('10.0.0.') and address.subnet_id == subnet.id and address.version == 4
    assert (subnet.cidr, subnet.gateway, subnet.dns) == ('10.0.0.0/24', '10.0.0.1', ('9.9.9.9',))
    assert subnet.routes == (('10.7.0.0/24', '10.0.0.9'),) and subnet.enable_dhcp
    port = bed.client.port(None, nic.port_id)
    assert (port.device_id, port.device_owner, port.host) == ('s1', 'compute:nova', 'host1')


def test_a_port_becomes_active_when_it_is_wired(bed: Bed) -> None:
    nic = bed.create(bed.network(), 's1')
    bed.wire(nic.port_id)
    assert bed.client.port_status(None, nic.port_id) == 'ACTIVE'
    assert bed.client.nics_of(['s1'])['s1'][0].nic.active


def test_why_a_port_is_not_wired_is_what_the_agent_reported_of_it_or_of_its_host(bed: Bed) -> None:
    nic = bed.create(bed.network(), 's1')
    assert bed.client.wiring_problem(nic.port_id, 'host1') == ''
    bed.trouble('wiring failed: no nft')
    assert bed.client.wiring_problem(nic.port_id, 'host1') == 'wiring failed: no nft'
    assert bed.client.wiring_problem(nic.port_id, 'host2') == ''
    bed.fail(nic.port_id, 'PermissionError: /run/netns')
    assert bed.client.wiring_problem(nic.port_id, 'host1') == 'PermissionError: /run/netns'
    with pytest.raises(exception.NotFound):
        bed.client.wiring_problem('3b0f8a52-6c1e-4a55-9d3f-0d4c8be0e001', 'host1')


def test_a_port_gets_the_address_that_was_asked_for(bed: Bed) -> None:
    network_id = bed.network()
    assert bed.create(network_id, 's1', fixed_ip='10.0.0.77').fixed_ips[0].address == '10.0.0.77'
    with pytest.raises(exception.Conflict):
        bed.create(network_id, 's2', fixed_ip='10.0.0.77')
    with pytest.raises(exception.Invalid):
        bed.create(network_id, 's2', fixed_ip='192.168.0.1')
    assert bed.client.ports_of('s2') == []


def test_subnets_and_holders_of_addresses(bed: Bed) -> None:
    network_id, other = bed.network(), bed.network(cidr='10.0.0.0/25')
    subnet, = bed.client.subnets(caller(DEMO), network_id)
    assert (subnet.cidr, subnet.version, subnet.gateway) == ('10.0.0.0/24', 4, '10.0.0.1')
    made = bed.create(network_id, 's1', fixed_ip='10.0.0.77')
    holder = bed.client.holder(network_id, '10.0.0.77')
    assert holder is not None and (holder.id, holder.device_id, holder.project_id) == (made.port_id, 's1', DEMO)
    assert bed.client.holder(network_id, '10.0.0.7') is None and bed.client.holder(other, '10.0.0.77') is None


def test_a_full_network_is_a_conflict(bed: Bed) -> None:
    network_id = bed.network(cidr='10.0.0.0/30')
    bed.create(network_id, 's1')
    with pytest.raises(exception.Conflict):
        bed.create(network_id, 's2')


def test_more_ports_than_allowed_are_over_quota(bed: Bed) -> None:
    network_id = bed.network()
    bed.limit(1)
    bed.create(network_id, 's1')
    with pytest.raises(exception.OverQuota, match='port'):
        bed.create(network_id, 's2')


def test_a_host_that_cannot_bind_leaves_nothing_behind(bed: Bed) -> None:
    with pytest.raises(exception.Retry, match='broken'):
        bed.create(bed.network(), 's1', host='broken')
    assert bed.client.ports_of('s1') == []


def test_a_users_port_is_bound_and_given_back(bed: Bed) -> None:
    port_id = bed.port(bed.network(), fixed_ip='10.0.0.50')
    for _ in range(2):  # the same again changes nothing
        nic = bed.client.bind_port(None, port_id, host='host1', device_id='s1', project_id=DEMO, hostname='vm-1')
        assert nic.vif_type in ('tap', 'bridge') and nic.fixed_ips[0].address == '10.0.0.50' and not nic.owned
    assert [each.nic.owned for each in bed.client.nics_of(['s1'])['s1']] == [False]
    for _ in range(2):
        bed.client.unbind_port(None, port_id)
    port = bed.client.port(None, port_id)
    assert (port.device_id, port.device_owner, port.host) == ('', '', '')


def test_a_port_in_use_is_not_taken(bed: Bed) -> None:
    port_id = bed.port(bed.network())
    bed.client.bind_port(None, port_id, host='host1', device_id='s1', project_id=DEMO)
    with pytest.raises(exception.Conflict):
        bed.client.bind_port(None, port_id, host='host1', device_id='s2', project_id=DEMO)
    assert [port.id for port in bed.client.ports_of('s1')] == [port_id]


def test_a_foreign_port_is_not_taken(bed: Bed) -> None:
    port_id = bed.port(bed.network(project=OTHER), project=OTHER)
    with pytest.raises(exception.Forbidden):
        bed.client.bind_port(None, port_id, host='host1', device_id='s1', project_id=DEMO)


def test_a_users_port_is_free_again_after_a_failed_binding(bed: Bed) -> None:
    port_id = bed.port(bed.network())
    with pytest.raises(exception.Retry):
        bed.client.bind_port(None, port_id, host='broken', device_id='s1', project_id=DEMO)
    assert bed.client.port(None, port_id).device_id == ''


def test_ports_of_a_server_are_listed_and_deleted_once_or_twice(bed: Bed) -> None:
    network_id = bed.network()
    made = [bed.create(network_id, 's1').port_id for _ in range(3)]
    bed.create(network_id, 's2')
    assert sorted(port.id for port in bed.client.ports_of('s1')) == sorted(made)
    assert {(port.host, port.project_id, port.device_id, port.owned) for port in bed.client.ports_of('s1')} == {
        ('host1', DEMO, 's1', True)}
    found = bed.client.nics_of(['s1'])['s1']
    assert sorted(each.nic.port_id for each in found) == sorted(made) == sorted(each.port.id for each in found)
    assert all(each.nic.owned and each.port.owned for each in found)
    for port_id in made + made:
        bed.client.delete_port(None, port_id)
    assert bed.client.nics_of(['s1']) == {'s1': []}
    bed.client.unbind_port(None, made[0])


def test_ports_of_many_servers_are_read_at_once_whatever_the_size_of_a_page(bed: Bed) -> None:
    first, second = bed.network(), bed.network(cidr='10.1.0.0/24')
    made = {f's{number}': [bed.create(network, f's{number}').port_id for network in (first, second)]
            for number in range(4)}
    found = bed.client.nics_of([*made, 'nobody'])
    assert {server: sorted(each.nic.port_id for each in ports) for server, ports in found.items()} == {
        'nobody': [], **{server: sorted(ports) for server, ports in made.items()}}
    assert all(each.nic.subnets and each.nic.network_name == 'net' for ports in found.values() for each in ports)


def test_a_port_that_cannot_be_bound_again_stays_its_servers(bed: Bed) -> None:
    port_id = bed.create(bed.network(), 's1').port_id
    with pytest.raises(exception.Retry):
        bed.client.bind_port(None, port_id, host='broken', device_id='s1', project_id=DEMO, again=True)
    assert bed.client.port(None, port_id).device_id == 's1'


def test_ports_are_listed_whole(bed: Bed) -> None:
    network_id, other = bed.network(), bed.network(project=OTHER, cidr='10.8.0.0/24')
    made = {bed.create(network_id, f's{number}').port_id for number in range(5)}
    mine, foreign = bed.port(network_id), bed.port(other, project=OTHER)
    found = {port.id: port for port in bed.client.all_ports()}
    assert set(found) == made | {mine, foreign}
    assert {port.id for port in found.values() if port.owned} == made
    assert {(port.host, port.of_server) for port in found.values() if port.owned} == {('host1', True)}
    assert found[foreign].project_id == OTHER and not found[foreign].of_server


def test_hosts_with_an_agent_that_lives(bed: Bed) -> None:
    assert bed.client.agent_hosts() == ['host1']


def test_the_automatic_network_is_made_once(bed: Bed) -> None:
    network_id = bed.client.auto_network(caller(DEMO))
    assert bed.client.auto_network(caller(DEMO)) == network_id
    assert bed.client.network(caller(DEMO), network_id).has_subnets
