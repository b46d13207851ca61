"""The agent on the fake plumbing: what it does when, and what it says."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from compute import exception
from compute.builtin.network.agent.agent import Agent
from compute.builtin.network.agent.fake import FakePlumbing
from compute.builtin.network.agent.plumbing import Outcome
from compute.objects.wiring import NetworkWiring, PortWiring
from tests.contract.network_agent.making import HOST, Daemon, make_conf, make_network, make_port, wait_for


class SlowPlumbing(FakePlumbing):
    """Waits in ``apply`` for permission, and can fail for a while."""

    def __init__(self) -> None:
        super().__init__()
        self.permission = threading.Event()
        self.permission.set()
        self.failures = 0
        self.syncs = 0

    def apply(self, networks: Mapping[str, NetworkWiring | None]) -> Outcome:
        assert self.permission.wait(120)
        if self.failures:
            self.failures -= 1
            raise exception.Unavailable('not now')
        return super().apply(networks)

    def sync(self, networks: list[NetworkWiring]) -> Outcome:
        self.syncs += 1
        return super().sync(networks)


@pytest.fixture
def daemon() -> Daemon:
    return Daemon()


@pytest.fixture
def plumbing() -> SlowPlumbing:
    return SlowPlumbing()


@pytest.fixture
def agent(daemon: Daemon, plumbing: SlowPlumbing) -> Iterator[Agent]:
    made = Agent(make_conf(driver='fake', heartbeat_interval=0.1, heal_interval=60), daemon,  # type: ignore[arg-type]
                 HOST, plumbing)
    yield made
    plumbing.permission.set()
    made.stop()


def _wire(agent: Agent, network: NetworkWiring, port: PortWiring) -> None:
    agent.endpoints()[0].wire(None, network=dataclasses.replace(network, ports=()), port=port)  # type: ignore[attr-defined]


def test_start_makes_the_state_so_and_reports_every_port(agent: Agent, daemon: Daemon, plumbing: SlowPlumbing) -> None:
    daemon.networks = [make_network(make_port(1), make_port(2)), make_network(make_port(3))]
    agent.start()
    wait_for(lambda: len(daemon.up) == 3)
    assert set(plumbing.networks) == {network.id for network in daemon.networks}
    beat = wait_for(lambda: [beat for beat in daemon.beats if beat.ports == 3])[0]
    assert (beat.host, beat.networks, beat.incarnation) == (HOST, 2, agent.incarnation)


def test_start_waits_for_the_daemon_and_touches_nothing_before(agent: Agent, daemon: Daemon, plumbing: SlowPlumbing
                                                               ) -> None:
    plumbing.sync([make_network(make_port(9))])
    daemon.answers = False
    network = make_network(make_port(1))
    daemon.networks = [network]
    agent.start()
    _wire(agent, network, network.ports[0])
    assert network.id not in plumbing.networks and len(plumbing.networks) == 1
    daemon.answers = True
    wait_for(lambda: daemon.up == [network.ports[0].id])
    assert set(plumbing.networks) == {network.id}


def test_wire_reports_each_time_and_unwire_removes(agent: Agent, daemon: Daemon, plumbing: SlowPlumbing) -> None:
    network = make_network(make_port(1))
    agent.start()
    _wire(agent, network, network.ports[0])
    wait_for(lambda: daemon.up == [network.ports[0].id])
    _wire(agent, network, network.ports[0])
    wait_for(lambda: daemon.up == [network.ports[0].id] * 2)
    agent.unwire(network.id, network.ports[0].id)
    wait_for(lambda: not plumbing.networks)


def test_burst_of_messages_is_one_pass(agent: Agent, daemon: Daemon, plumbing: SlowPlumbing) -> None:
    network = make_network(*(make_port(number) for number in range(1, 51)))
    agent.start()
    wait_for(lambda: plumbing.applied)
    plumbing.permission.clear()
    for port in network.ports:
        _wire(agent, network, port)
    before = plumbing.applied
    plumbing.permission.set()
    wait_for(lambda: len(daemon.up) == 50)
    assert plumbing.applied - before <= 2


def test_failed_ports_are_reported_with_the_reason(agent: Agent, daemon: Daemon, plumbing: SlowPlumbing) -> None:
    network = make_network(make_port(1), make_port(2))
    far = make_network(make_port(3), kind='vlan', segment=5)
    plumbing.broken[network.ports[0].id] = 'the tap is taken'
    daemon.networks = [network, far]
    agent.start()
    wait_for(lambda: len(daemon.failed) == 2 and daemon.up)
    assert daemon.failed[network.ports[0].id] == 'the tap is taken'
    assert 'vlan' in daemon.failed[far.ports[0].id] and daemon.up == [network.ports[1].id]


def test_port_that_is_down_is_wired_and_not_reported(agent: Agent, daemon: Daemon, plumbing: SlowPlumbing) -> None:
    daemon.networks = [make_network(make_port(1, admin_up=False), make_port(2))]
    agent.start()
    wait_for(lambda: daemon.up)
    assert daemon.up == [daemon.networks[0].ports[1].id] and len(plumbing.networks[daemon.networks[0].id].ports) == 2


def test_refresh_fetches_and_reports_only_what_changed(agent: Agent, daemon: Daemon, plumbing: SlowPlumbing) -> None:
    network = make_network(make_port(1), make_port(2))
    daemon.networks = [network]
    agent.start()
    wait_for(lambda: len(daemon.up) == 2)
    first, second = network.ports
    daemon.networks = [dataclasses.replace(network, ports=(dataclasses.replace(first, rules=()), dataclasses.replace(
        second, hostname='other', rules=())))]
    agent.endpoints()[0].refresh(None)  # type: ignore[attr-defined]
    wait_for(lambda: len(daemon.up) == 3)
    assert daemon.up[2] == second.id
    assert [port.rules for port in plumbing.networks[network.id].ports] == [(), ()]


def test_failed_pass_is_repeated_whole(agent: Agent, daemon: Daemon, plumbing: SlowPlumbing) -> None:
    network = make_network(make_port(1))
    agent.start()
    wait_for(lambda: plumbing.applied)
    plumbing.failures, syncs = 1, plumbing.syncs
    _wire(agent, network, network.ports[0])
    wait_for(lambda: daemon.up == [network.ports[0].id])
    assert plumbing.syncs == syncs + 1


def test_report_is_sent_until_it_is_heard(agent: Agent, daemon: Daemon, plumbing: SlowPlumbing) -> None:
    network = make_network(make_port(1))
    agent.start()
    wait_for(lambda: plumbing.applied)
    daemon.answers = False
    _wire(agent, network, network.ports[0])
    wait_for(lambda: network.id in plumbing.networks)
    assert daemon.up == []
    daemon.answers = True
    wait_for(lambda: daemon.up == [network.ports[0].id])


@pytest.mark.parametrize(('old', 'calls'), [(False, 1), (True, 5)])
def test_ports_that_came_up_meanwhile_are_reported_together(agent: Agent, daemon: Daemon, plumbing: SlowPlumbing,
                                                            old: bool, calls: int) -> None:
    daemon.old = old
    network = make_network(*(make_port(number) for number in range(5)))
    daemon.networks = [network]
    agent.start()
    wait_for(lambda: len(daemon.up) == 5)
    assert (sorted(daemon.up), daemon.calls) == (sorted(port.id for port in network.ports), calls)


def test_drift_is_looked_for_when_nothing_happens(daemon: Daemon, plumbing: SlowPlumbing) -> None:
    agent = Agent(make_conf(driver='fake', heal_interval=0.1), daemon, HOST, plumbing)  # type: ignore[arg-type]
    daemon.networks = [make_network(make_port(1))]
    agent.start()
    wait_for(lambda: plumbing.networks)
    plumbing.networks.clear()
    wait_for(lambda: plumbing.networks)
    agent.stop()
    assert daemon.up == [daemon.networks[0].ports[0].id]


def test_many_agents_in_one_process_do_not_mix(daemon: Daemon) -> None:
    others = Daemon()
    daemon.networks, others.networks = [make_network(make_port(1))], [make_network(make_port(2))]
    agents: list[Any] = [Agent(make_conf(driver='fake'), rpc, name) for rpc, name in  # type: ignore[arg-type]
                         ((daemon, 'one'), (others, 'two'))]
    for agent in agents:
        agent.start()
    wait_for(lambda: daemon.up and others.up)
    for agent in agents:
        agent.stop()
    assert (agents[0].desired.all(), agents[1].desired.all()) == (daemon.networks, others.networks)
