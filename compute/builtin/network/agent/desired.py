"""What should be on this host, put together from single messages and whole states that overtake each other.

A whole state is as old as the moment when it was asked for. What a message said about a port after that moment is
newer and wins.
"""

from __future__ import annotations

import dataclasses
import threading

from compute.objects.wiring import NetworkWiring, PortWiring


class Desired:
    """The networks and ports of this host. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._networks: dict[str, NetworkWiring] = {}
        self._ports: dict[str, dict[str, PortWiring]] = {}
        self._told: dict[str, int] = {}
        self._clock = 0

    def wire(self, network: NetworkWiring, port: PortWiring) -> None:
        """Add or replace a port; the network becomes as stated, its other ports stay."""
        with self._lock:
            self._tell(port.id)
            self._networks[network.id] = dataclasses.replace(network, ports=())
            ports = self._ports.setdefault(network.id, {})
            for stated in network.ports:
                ports[stated.id] = stated
            ports[port.id] = port

    def unwire(self, network_id: str, port_id: str) -> None:
        """Forget a port, and its network with the last one."""
        with self._lock:
            self._tell(port_id)
            self._ports.get(network_id, {}).pop(port_id, None)
            self._prune()

    def moment(self) -> int:
        """Return the present, to be given to ``replace`` with a state that is asked for now."""
        with self._lock:
            return self._clock

    def replace(self, networks: list[NetworkWiring], since: int) -> set[str]:
        """Take over a whole state asked for at ``since``; return the ids of ports that are new or other than before.

        Other rules alone do not count: they change with every member of a group, and say nothing of whether it is up.
        """
        with self._lock:
            before = {port.id: port for ports in self._ports.values() for port in ports.values()}
            newer = {port_id for port_id, told in self._told.items() if told > since}
            kept = [(network_id, port) for network_id, ports in self._ports.items()
                    for port in ports.values() if port.id in newer]
            known = self._networks
            self._networks = {network.id: dataclasses.replace(network, ports=()) for network in networks}
            self._ports = {network.id: {port.id: port for port in network.ports if port.id not in newer}
                           for network in networks}
            for network_id, port in kept:
                self._networks.setdefault(network_id, known[network_id])
                self._ports.setdefault(network_id, {})[port.id] = port
            self._told = {port_id: told for port_id, told in self._told.items() if told > since}
            self._prune()
            return {port.id for ports in self._ports.values() for port in ports.values()
                    if _differs(before.get(port.id), port)}

    def network(self, network_id: str) -> NetworkWiring | None:
        """Return a network with its ports, None when it should not be here."""
        with self._lock:
            return self._assemble(network_id)

    def all(self) -> list[NetworkWiring]:
        """Return all networks with their ports."""
        with self._lock:
            found = (self._assemble(network_id) for network_id in sorted(self._networks))
            return [network for network in found if network is not None]

    def counts(self) -> tuple[int, int]:
        """Return how many networks and ports there are."""
        with self._lock:
            return len(self._networks), sum(len(ports) for ports in self._ports.values())

    def _assemble(self, network_id: str) -> NetworkWiring | None:
        if network_id not in self._networks:
            return None
        ports = sorted(self._ports[network_id].values(), key=lambda port: port.id)
        return dataclasses.replace(self._networks[network_id], ports=tuple(ports))

    def _tell(self, port_id: str) -> None:
        self._clock += 1
        self._told[port_id] = self._clock

    def _prune(self) -> None:
        for network_id in [known for known in self._networks if not self._ports.get(known)]:
            del self._networks[network_id]
            self._ports.pop(network_id, None)
        for network_id in [known for known in self._ports if known not in self._networks]:
            del self._ports[network_id]


def _differs(old: PortWiring | None, new: PortWiring) -> bool:
    return old is None or dataclasses.replace(old, rules=new.rules) != new
