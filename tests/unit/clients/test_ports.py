"""Which ports are a server's, how they are now, and what becomes of them with it."""

from __future__ import annotations

from typing import Any

import pytest

from compute import exception
from compute.clients import ports
from compute.clients.fake.network import FakeNetworks
from compute.objects.flavor import Flavor
from compute.objects.instance import Instance
from compute.objects.nic import Nic

UUID = '10000000-0000-4000-8000-000000000001'


class Cloud:
    """A server of project p1 with a port that Compute made and one that its user brought."""

    def __init__(self) -> None:
        self.networks = FakeNetworks()
        self.network = self.networks.add_network(project_id='p1', name='net1')
        self.mine = self.networks.add_port(self.network, project_id='p1')
        self.nics = (self.networks.create_port(None, self.network, project_id='p1', device_id=UUID, host='h1'),
                     self.networks.bind_port(None, self.mine, host='h1', device_id=UUID, project_id='p1'))

    def server(self, *nics: Nic, **values: Any) -> Instance:
        flavor = Flavor(flavorid='1', name='f', vcpus=1, memory_mb=64, root_gb=1)
        return Instance(**{'uuid': UUID, 'project_id': 'p1', 'user_id': 'ann', 'name': 'vm', 'flavor': flavor,
                           'nics': nics or self.nics, **values})

    def now(self) -> tuple[Nic, ...]:
        found = ports.current(self.networks, [self.server()])
        return tuple(each.nic for each in found[UUID])

    def foreign(self) -> str:
        """Return a port of another project that names the server."""
        network = self.networks.add_network(project_id='p2', cidr='10.9.0.0/24')
        return self.networks.add_port(network, project_id='p2', device_id=UUID, device_owner='compute:nova')


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


def test_what_did_not_change_is_as_it_was(cloud: Cloud) -> None:
    assert cloud.now() == cloud.nics


def test_changed_addresses_names_and_sizes_are_shown(cloud: Cloud) -> None:
    cloud.networks.change_port(cloud.mine, fixed_ip='10.0.0.99', security_groups=['g9'])
    cloud.networks.change_network(cloud.network, name='renamed', mtu=1400)
    first, second = cloud.now()
    assert (first.network_name, first.mtu) == ('renamed', 1400)
    assert second.fixed_ips[0].address == '10.0.0.99' and second.security_groups == ('g9',)


@pytest.mark.parametrize('lose', [
    lambda cloud: cloud.networks.delete_port(None, cloud.mine),
    lambda cloud: cloud.networks.unbind_port(None, cloud.mine),
    lambda cloud: cloud.networks.change_port(cloud.mine, device_id='another')])
def test_a_port_that_is_gone_free_or_anothers_is_dropped(cloud: Cloud, lose: Any) -> None:
    lose(cloud)
    assert [nic.port_id for nic in cloud.now()] == [cloud.nics[0].port_id]


def test_a_port_that_a_list_forgets_is_not_lost(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that shows less than it should must not cost a server its ports."""
    monkeypatch.setattr(cloud.networks, 'nics_of', lambda device_ids, soon: {each: [] for each in device_ids})
    assert ports.current(cloud.networks, [cloud.server()]) == {}


def test_no_port_is_added(cloud: Cloud) -> None:
    cloud.networks.add_port(cloud.network, project_id='p1', device_id=UUID, device_owner='compute:nova')
    assert len(cloud.now()) == 2


def test_what_only_compute_knows_stays(cloud: Cloud) -> None:
    nic = Nic(port_id=cloud.mine, network_id=cloud.network, mac='', tag='front', owned=False, active=True)
    found = ports.current(cloud.networks, [cloud.server(nic)])[UUID]
    assert [(each.nic.tag, each.nic.owned, each.nic.active) for each in found] == [('front', False, True)]


def test_many_servers_are_one_question_and_those_without_ports_none(cloud: Cloud) -> None:
    flavor = Flavor(flavorid='1', name='f', vcpus=1, memory_mb=64, root_gb=1)
    more = [Instance(uuid=f'u{number}', project_id='p1', user_id='a', name='vm', flavor=flavor,
                     nics=(cloud.networks.create_port(None, cloud.network, project_id='p1', device_id=f'u{number}'),))
            for number in range(5)]
    without = Instance(uuid='none', project_id='p1', user_id='a', name='vm', flavor=flavor)
    found = ports.current(cloud.networks, [cloud.server(), *more, without])
    assert sorted(found) == sorted([UUID, 'none', *(each.uuid for each in more)]) and found['none'] == ()
    assert len(cloud.networks.asked) == 1 and 'none' not in cloud.networks.asked[0]


def test_a_foreign_port_that_names_the_server_is_not_the_servers(cloud: Cloud) -> None:
    foreign = cloud.foreign()
    assert foreign not in {each.port.id for each in ports.of_server(cloud.networks, cloud.server())}
    ports.release(cloud.networks, cloud.server(), keep=[cloud.mine])
    assert {port.id: port.device_id for port in cloud.networks.ports} == {foreign: UUID, cloud.mine: ''}


def test_a_users_own_port_that_names_the_server_is_given_back_not_deleted(cloud: Cloud) -> None:
    own = cloud.networks.add_port(cloud.network, project_id='p1', device_id=UUID)
    ports.release(cloud.networks, cloud.server(), keep=[cloud.mine])
    assert {port.id: port.device_id for port in cloud.networks.ports} == {own: '', cloud.mine: ''}


def test_only_ports_on_a_host_are_released_if_one_is_named(cloud: Cloud) -> None:
    ports.release(cloud.networks, cloud.server(), keep=(), host='h2')
    assert len(cloud.networks.ports) == 2
    ports.release(cloud.networks, cloud.server(), keep=(), host='h1')
    assert not cloud.networks.ports


def test_ports_that_change_while_they_are_read_are_asked_for_again(cloud: Cloud,
                                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloud.networks, 'nics_of', lambda device_ids: {})
    with pytest.raises(exception.Conflict):
        ports.of_server(cloud.networks, cloud.server())
