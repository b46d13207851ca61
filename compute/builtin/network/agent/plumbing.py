"""The contract between the agent, which knows what should be, and what makes it so on a host.

There are two: ``linux`` and ``fake``. Both take full statements and may be told the same thing any number of times.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from compute.objects.residue import Wire
from compute.objects.wiring import NetworkWiring


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of it. ``failed`` maps ports to reasons; every other port that was asked for is wired.

    ``changes`` names what had to be made or removed: nothing when everything was so already. ``problems`` are for
    the operator, in words.
    """

    failed: dict[str, str] = field(default_factory=dict)
    changes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


class Plumbing(Protocol):
    """Makes networks on one host. Calls may block for seconds and come one at a time."""

    def start(self) -> None:
        """Get ready.

        :raises exception.Failed: when this host cannot do it at all, for example without root.
        """

    def apply(self, networks: Mapping[str, NetworkWiring | None]) -> Outcome:
        """Make these networks as stated, with exactly these ports; None removes one. Others stay as they are.

        :raises exception.Unavailable: when nothing could be done now.
        """

    def sync(self, networks: list[NetworkWiring]) -> Outcome:
        """Make all networks of this host as stated, repair what drifted, and remove everything else of ours.

        :raises exception.Unavailable: when nothing could be done now.
        """

    def wires(self) -> list[Wire]:
        """Return the ports for which there is something of ours on this host, told to be here or not.

        :raises exception.Unavailable: when it cannot be seen now.
        """

    def listen(self, network_id: str) -> socket.socket | None:
        """Return a socket that listens at the network's metadata address, None where guests have no real network.

        :raises OSError: when the network's namespace is not there.
        """

    def generation(self, network_id: str) -> int:
        """Return a number that changes when sockets of ``listen`` are no longer reachable from the network."""

    def cleanup(self) -> tuple[str, ...]:
        """Remove every trace from this host, without asking anybody, and return what was removed."""

    def stop(self) -> None:
        """Let go; networks stay as they are, so that guests do not notice."""


def refusal(network: NetworkWiring) -> str | None:
    """Return why ports of this network cannot be wired here, None when they can.

    Networks that reach beyond the host get their place here when overlays and physical networks are built.
    """
    if network.kind == 'local' or (network.kind == 'flat' and not network.physical_network):
        return None
    physical = f' on physical network {network.physical_network}' if network.physical_network else ''
    return (f'network {network.id} is of type {network.kind}{physical}; this agent wires type local, '
            'and flat without a physical network')
