"""What should be here, when messages and whole states overtake each other."""

from __future__ import annotations

import dataclasses

from compute.builtin.network.agent.desired import Desired
from compute.objects.wiring import NetworkWiring, Rule
from tests.contract.network_agent.making import make_network, make_port


def _bare(network: NetworkWiring) -> NetworkWiring:
    return dataclasses.replace(network, ports=())


def test_network_lives_as_long_as_its_ports() -> None:
    network = make_network(make_port(1), make_port(2))
    desired = Desired()
    for port in network.ports:
        desired.wire(_bare(network), port)
    assert desired.counts() == (1, 2)
    desired.unwire(network.id, network.ports[0].id)
    assert [port.id for port in desired.all()[0].ports] == [network.ports[1].id]
    desired.unwire(network.id, network.ports[1].id)
    assert desired.all() == [] and desired.network(network.id) is None


def test_unwire_of_what_is_not_here_is_nothing() -> None:
    desired = Desired()
    desired.unwire('network', 'port')
    assert desired.all() == []


def test_wire_after_the_state_was_asked_for_wins() -> None:
    network = make_network(make_port(1))
    desired = Desired()
    asked = desired.moment()
    desired.wire(_bare(network), network.ports[0])
    assert desired.replace([], asked) == set()
    assert desired.counts() == (1, 1)
    assert desired.replace([], desired.moment()) == set()
    assert desired.counts() == (0, 0)


def test_unwire_after_the_state_was_asked_for_wins() -> None:
    network = make_network(make_port(1), make_port(2))
    desired = Desired()
    desired.replace([network], desired.moment())
    asked = desired.moment()
    desired.unwire(network.id, network.ports[0].id)
    desired.replace([network], asked)
    assert [port.id for port in desired.all()[0].ports] == [network.ports[1].id]


def test_replace_tells_new_and_changed_ports() -> None:
    network = make_network(make_port(1), make_port(2))
    desired = Desired()
    assert desired.replace([network], 0) == {port.id for port in network.ports}
    assert desired.replace([network], 0) == set()
    first, second = network.ports
    changed = dataclasses.replace(network, ports=(first, dataclasses.replace(second, mac='fa:16:3e:00:00:99')))
    assert desired.replace([changed], 0) == {second.id}


def test_other_rules_are_taken_over_and_not_told() -> None:
    """They change with every member of a group: each port would be reported up each time."""
    network = make_network(make_port(1, rules=(Rule(direction='ingress', remote=('10.0.0.5/32',)),)))
    desired = Desired()
    desired.replace([network], 0)
    rules = (Rule(direction='ingress', remote=('10.0.0.5/32', '10.0.0.6/32')),)
    changed = dataclasses.replace(network, ports=(dataclasses.replace(network.ports[0], rules=rules),))
    assert desired.replace([changed], 0) == set()
    assert desired.all() == [changed]
