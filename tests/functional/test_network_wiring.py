"""The network daemon and agents over real RPC, in one process: bind, wire, up, ACTIVE, the event; and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from oslo_messaging._metrics import client as metrics
from oslo_messaging._tracing import client as tracing

from compute.builtin.network.agent.agent import Agent
from compute.builtin.network.agent.fake import FakePlumbing
from compute.exception import Stale, Unavailable
from compute.rpc.network_agent import AgentReports
from compute.rpc.transport import Rpc
from tests.api.network.serving import PROJECTS, Site, make_conf
from tests.waiting import wait_until

SERVER = '11111111-2222-3333-4444-555555555555'


class Compute:
    """Takes events once ``down`` is over."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, str, str]] = []
        self.down = False

    def send(self, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if self.down:
            raise Unavailable('not now')
        self.events += [(event['name'], event['server_uuid'], event['tag'], event['status']) for event in events]
        return events


class World:
    """A daemon, two hosts with agents on fake plumbing, and Compute."""

    def __init__(self, url: str) -> None:
        self.compute = Compute()
        conf = make_conf('sqlite://')
        conf.set_override('driver', 'fake', group='network_agent')
        conf.set_override('heartbeat_interval', 0.2, group='network_agent')
        for name, options in (('oslo_messaging_tracing', tracing.oslo_messaging_tracing),
                              ('oslo_messaging_metrics', metrics.oslo_messaging_metrics)):
            conf.register_opts(options, group=name)  # oslo.messaging registers them on the global configuration only
        self.rpc = Rpc(conf, 'kombu+memory:////')
        self.site = Site(url, self.rpc, self.compute, event_interval=0.2, refresh_interval=0.05)
        self.servers = [self.rpc.server('network', 'daemon', self.site.daemon.endpoints())]
        self.plumbing = {host: FakePlumbing() for host in ('host1', 'host2')}
        self.agents = [Agent(conf, self.rpc, host, plumbing) for host, plumbing in self.plumbing.items()]
        self.servers += [self.rpc.server('network_agent', agent.host, agent.endpoints()) for agent in self.agents]
        for server in self.servers:
            server.start()
        for agent in self.agents:
            agent.start()
        self.site.daemon.start()

    def close(self) -> None:
        for agent in self.agents:
            agent.stop()
        for server in self.servers:
            server.stop()
            server.wait()
        self.site.close()

    def bound(self, network: dict[str, Any], host: str = 'host1', **values: Any) -> dict[str, Any]:
        """Make a port of a server on a host."""
        return self.site.port(network, 'service', project_id=PROJECTS['demo'], **{
            'binding:host_id': host, 'device_id': SERVER, 'device_owner': 'compute:nova', **values})

    def port(self, port: dict[str, Any]) -> dict[str, Any]:
        """Read a port again."""
        return self.site.get(f'/ports/{port["id"]}', 'admin')['port']

    def wired(self, host: str, port: dict[str, Any]) -> Any:
        """Return what a host made of a port, None if nothing."""
        network = self.plumbing[host].networks.get(port['network_id'])
        return next((one for one in network.ports if one.id == port['id']), None) if network else None

    def said(self, name: str, port: dict[str, Any], status: str = 'completed') -> bool:
        """Tell whether Compute heard of it."""
        return (name, SERVER, port['id'], status) in self.compute.events


@pytest.fixture
def world(tmp_path: Any) -> Iterator[World]:
    made = World(f'sqlite:///{tmp_path}/network.sqlite')
    until(lambda: len(made.site.get('/agents?alive=true', 'admin')['agents']) == 2)
    yield made
    made.close()


def until(condition: Callable[[], Any], seconds: float = 15) -> Any:
    """Wait until something holds and return it."""
    return wait_until(condition, 'what the test waits for', seconds)


def make_net(world: World) -> dict[str, Any]:
    network = world.site.network()
    world.site.subnet(network, dns_nameservers=['9.9.9.9'])
    return network


def test_bind_wire_up_event(world: World) -> None:
    port = world.bound(make_net(world), dns_name='vm1')
    assert (port['binding:vif_type'], port['status']) == ('tap', 'DOWN')
    until(lambda: world.port(port)['status'] == 'ACTIVE')
    until(lambda: world.said('network-vif-plugged', port))
    there = world.wired('host1', port)
    assert (there.mac, there.hostname, there.fixed_ips[0].address, there.security) == (
        port['mac_address'], 'vm1', '10.0.0.2', True)
    assert world.plumbing['host1'].networks[port['network_id']].subnets[0].dns == ('9.9.9.9',)
    assert world.wired('host2', port) is None


def test_move_and_delete(world: World) -> None:
    port = world.bound(make_net(world))
    until(lambda: world.port(port)['status'] == 'ACTIVE')
    path = f'/ports/{port["id"]}'
    world.site.put(path, {'port': {'binding:host_id': 'host2'}}, 'service')
    until(lambda: world.wired('host2', port) and world.wired('host1', port) is None)
    until(lambda: world.port(port)['status'] == 'ACTIVE')
    until(lambda: world.said('network-vif-unplugged', port))
    world.site.put(path, {'port': {'binding:host_id': None, 'device_id': '', 'device_owner': ''}}, 'service')
    until(lambda: world.wired('host2', port) is None)
    assert world.port(port)['status'] == 'DOWN'
    world.site.put(path, {'port': {'binding:host_id': 'host1', 'device_id': SERVER, 'device_owner': 'compute:nova'}},
                   'service')
    until(lambda: world.port(port)['status'] == 'ACTIVE')
    world.site.delete(path, 'admin')
    until(lambda: world.wired('host1', port) is None)
    until(lambda: world.said('network-vif-deleted', port))


def test_a_port_that_cannot_be_wired(world: World) -> None:
    network = make_net(world)
    world.site.put(f'/networks/{network["id"]}', {'network': {'name': 'x'}})
    port = world.site.port(network)
    world.plumbing['host1'].broken[port['id']] = 'no room for a tap'
    world.site.put(f'/ports/{port["id"]}', {'port': {'binding:host_id': 'host1', 'device_id': SERVER,
                                                     'device_owner': 'compute:nova'}}, 'service')
    until(lambda: world.port(port)['status'] == 'ERROR')
    until(lambda: world.said('network-vif-plugged', port, 'failed'))
    assert world.port(port)['binding:vif_details']['problem'] == 'no room for a tap'
    world.plumbing['host1'].broken.clear()
    world.site.put(f'/ports/{port["id"]}', {'port': {'dns_name': 'again'}}, 'service')
    until(lambda: world.port(port)['status'] == 'ACTIVE')
    assert 'problem' not in world.port(port)['binding:vif_details']


def test_rules_reach_the_hosts(world: World) -> None:
    network = make_net(world)
    first = world.bound(network)
    group = first['security_groups'][0]
    until(lambda: world.wired('host1', first))
    world.site.post('/security-group-rules', {'security_group_rule': {
        'security_group_id': group, 'direction': 'ingress', 'protocol': 'tcp', 'port_range_min': 22,
        'port_range_max': 22}})
    until(lambda: any(rule.port_min == 22 for rule in world.wired('host1', first).rules))
    second = world.bound(network, 'host2')

    def members() -> bool:
        rules = world.wired('host1', first).rules
        return any('10.0.0.3/32' in rule.remote for rule in rules if rule.remote_group)
    until(members)
    world.site.delete(f'/ports/{second["id"]}', 'admin')
    until(lambda: not members())


def test_subnets_reach_the_hosts(world: World) -> None:
    network = make_net(world)
    port = world.bound(network)
    until(lambda: world.wired('host1', port))
    subnet = world.site.get('/subnets')['subnets'][0]
    world.site.put(f'/subnets/{subnet["id"]}', {'subnet': {'dns_nameservers': ['1.1.1.1']}})
    until(lambda: world.plumbing['host1'].networks[network['id']].subnets[0].dns == ('1.1.1.1',))


def test_events_wait_for_compute(world: World) -> None:
    world.compute.down = True
    port = world.bound(make_net(world))
    until(lambda: world.port(port)['status'] == 'ACTIVE')
    assert not world.compute.events
    world.compute.down = False
    until(lambda: world.said('network-vif-plugged', port))
    assert len(world.compute.events) == 1


def test_an_agent_is_believed_about_its_own_ports_only(world: World) -> None:
    port = world.bound(make_net(world))
    until(lambda: world.port(port)['status'] == 'ACTIVE')
    reports = world.rpc.client(AgentReports)
    from compute import context
    for host, ident in (('host2', port['id']), ('host1', '00000000-0000-0000-0000-000000000000')):
        with pytest.raises(Stale):
            reports.port_failed(context.internal(), host=host, port_id=ident, reason='x')
    assert world.port(port)['status'] == 'ACTIVE'


def test_a_restarted_agent_gets_the_whole_truth(world: World) -> None:
    network = make_net(world)
    ports = [world.bound(network) for _ in range(12)]
    until(lambda: all(world.wired('host1', port) for port in ports))
    found = world.site.reports.state(None, host='host1')
    assert [len(one.ports) for one in found] == [12] and world.site.reports.state(None, host='host2') == []
