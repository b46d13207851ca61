"""What holds for every plumbing. A test module mixes this in and gives the fixture ``plumbing``."""

from __future__ import annotations

import dataclasses

from compute.builtin.network.agent.plumbing import Plumbing
from compute.objects.nic import FixedIp, Subnet
from tests.contract.network_agent.making import make_network, make_port


class PlumbingContract:
    """Statements may be repeated; what is not stated goes; one network's failure is its own."""

    def test_sync_twice_changes_nothing(self, plumbing: Plumbing) -> None:
        networks = [make_network(make_port(1), make_port(2)), make_network(make_port(3))]
        first = plumbing.sync(networks)
        assert first.changes and not first.failed, first
        again = plumbing.sync(networks)
        assert again.changes == (), again

    def test_a_link_local_gateway_is_no_change_either(self, plumbing: Plumbing) -> None:
        six = Subnet(id='six', cidr='fd12:3456::/64', version=6, gateway='fe80::1')
        port = make_port(1, fixed_ips=(FixedIp(address='fd12:3456::5', subnet_id='six', version=6),))
        network = make_network(port, subnets=(six,))
        first = plumbing.sync([network])
        assert first.changes and not first.failed, first
        again = plumbing.sync([network])
        assert (again.changes, again.failed) == ((), first.failed), again

    def test_apply_adds_changes_and_removes(self, plumbing: Plumbing) -> None:
        one, two = make_port(1), make_port(2)
        network = make_network(one)
        plumbing.sync([])
        assert plumbing.apply({network.id: network}).changes
        assert plumbing.apply({network.id: network}).changes == ()
        grown = dataclasses.replace(network, ports=(*network.ports, dataclasses.replace(two, network_id=network.id)))
        assert plumbing.apply({network.id: grown}).changes
        assert plumbing.apply({network.id: None}).changes
        assert plumbing.apply({network.id: None}).changes == ()

    def test_sync_removes_what_is_not_stated(self, plumbing: Plumbing) -> None:
        kept, gone = make_network(make_port(1)), make_network(make_port(2))
        plumbing.sync([kept, gone])
        assert plumbing.sync([kept]).changes
        assert plumbing.cleanup() and not plumbing.cleanup()

    def test_wires_are_those_of_the_ports_that_are_stated(self, plumbing: Plumbing) -> None:
        first, second = make_network(make_port(1), make_port(2)), make_network(make_port(3))
        plumbing.sync([first, second])
        assert {(wire.network_id, wire.port_id) for wire in plumbing.wires()} == {
            (network.id, port.id) for network in (first, second) for port in network.ports}
        plumbing.apply({second.id: None})
        assert {wire.network_id for wire in plumbing.wires()} == {first.id}
        plumbing.sync([])
        assert plumbing.wires() == []

    def test_network_that_leaves_the_host_is_refused(self, plumbing: Plumbing) -> None:
        fine = make_network(make_port(1))
        far = make_network(make_port(2), kind='vxlan', segment=7)
        physical = make_network(make_port(3), kind='flat', physical_network='lan')
        outcome = plumbing.sync([fine, far, physical])
        assert set(outcome.failed) == {far.ports[0].id, physical.ports[0].id}
        assert 'vxlan' in outcome.failed[far.ports[0].id]
        assert 'lan' in outcome.failed[physical.ports[0].id]

    def test_flat_without_physical_network_is_wired(self, plumbing: Plumbing) -> None:
        assert not plumbing.sync([make_network(make_port(1), kind='flat')]).failed
