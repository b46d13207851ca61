"""A complete pretence of a host's network: for the fake hypervisor, load tests and tests of the agent itself."""

from __future__ import annotations

import socket
from collections.abc import Mapping

from compute.builtin.network.agent.plumbing import Outcome, refusal
from compute.objects.residue import Wire
from compute.objects.wiring import NetworkWiring


class FakePlumbing:
    """Keeps what should be in ``networks`` and says that it is. ``broken`` maps ports to reasons why they fail."""

    def __init__(self) -> None:
        self.networks: dict[str, NetworkWiring] = {}
        self.broken: dict[str, str] = {}
        self.applied = 0

    def start(self) -> None:
        """Nothing has to be ready."""

    def apply(self, networks: Mapping[str, NetworkWiring | None]) -> Outcome:
        """Remember these networks."""
        self.applied += 1
        failed: dict[str, str] = {}
        changes: list[str] = []
        for network_id, network in networks.items():
            reason = refusal(network) if network is not None else None
            if network is not None:
                failed.update({port.id: reason or self.broken.get(port.id, '') for port in network.ports
                               if reason or port.id in self.broken})
            changes += self._keep(network_id, network if reason is None else None)
        return Outcome(failed=failed, changes=tuple(changes))

    def sync(self, networks: list[NetworkWiring]) -> Outcome:
        """Remember these networks and forget all others."""
        gone: dict[str, NetworkWiring | None] = {known: None for known in self.networks}
        return self.apply({**gone, **{network.id: network for network in networks}})

    def wires(self) -> list[Wire]:
        """Return the ports of the networks."""
        return [Wire(port_id=port.id, network_id=network.id) for network in list(self.networks.values())
                for port in network.ports if port.id not in self.broken]

    def listen(self, network_id: str) -> socket.socket | None:
        """Return nothing: fake guests do not ask for metadata."""
        return None

    def generation(self, network_id: str) -> int:
        """Return always the same."""
        return 0

    def cleanup(self) -> tuple[str, ...]:
        """Forget everything."""
        gone = tuple(f'network {network_id} removed' for network_id in self.networks)
        self.networks.clear()
        return gone

    def stop(self) -> None:
        """Nothing has to be let go."""

    def _keep(self, network_id: str, network: NetworkWiring | None) -> list[str]:
        if self.networks.get(network_id) == network:
            return []
        if network is None:
            del self.networks[network_id]
            return [f'network {network_id} removed']
        self.networks[network_id] = network
        return [f'network {network_id} wired']
