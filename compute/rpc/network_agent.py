"""What the built-in network asks of its agent on a host, and what the agent reports. Hosts never reach SQL."""

from __future__ import annotations

from typing import Any

from compute.objects.residue import Wire
from compute.objects.wiring import AgentReport, NetworkWiring, PortWiring
from compute.rpc.interface import Interface, call, cast


class Wiring(Interface):
    """Served by the agent of each host. Everything is a full statement of what should be, so it may be sent again."""

    TOPIC = 'network_agent'
    NAME = 'wiring'
    VERSION = '1.1'

    @cast()
    def wire(self, context: Any, *, network: NetworkWiring, port: PortWiring) -> None:
        """Make the port's tap, its address and its rules on this host; report it up when it is done."""
        raise NotImplementedError

    @cast()
    def unwire(self, context: Any, *, network_id: str, port_id: str) -> None:
        """Remove a port from this host, and the network with its last port."""
        raise NotImplementedError

    @cast()
    def refresh(self, context: Any) -> None:
        """Fetch the whole state again and make it so: sent after changes that touch many ports."""
        raise NotImplementedError

    @call(timeout=30, since='1.1')
    def wires(self, context: Any) -> list[Wire]:
        """Return the ports for which there is something on this host. :raises Unavailable: it cannot look now."""
        raise NotImplementedError


class AgentReports(Interface):
    """Served by the built-in network daemon for its agents. An agent may report only on ports bound to its host."""

    TOPIC = 'network'
    NAME = 'agent_reports'
    VERSION = '1.1'

    @call(timeout=30)
    def state(self, context: Any, *, host: str, pack: bool = False) -> list[NetworkWiring]:
        """Return all networks with ports bound to ``host``, their ports included.

        ``pack``: the caller takes them ``packed``; a daemon of the release before does not know this.
        """
        raise NotImplementedError

    @call(timeout=30)
    def port_up(self, context: Any, *, host: str, port_id: str) -> None:
        """Say that a port is wired: it becomes ACTIVE, and Compute gets network-vif-plugged."""
        raise NotImplementedError

    @call(timeout=30, since='1.1')
    def ports_up(self, context: Any, *, host: str, port_ids: list[str]) -> list[str]:
        """Say ``port_up`` of many at once; return those that are not bound to ``host``."""
        raise NotImplementedError

    @call(timeout=30)
    def port_failed(self, context: Any, *, host: str, port_id: str, reason: str) -> None:
        """Say that a port cannot be wired: it becomes ERROR, and Compute gets the event as failed."""
        raise NotImplementedError

    @cast()
    def heartbeat(self, context: Any, *, report: AgentReport) -> None:
        """Say that the agent lives, and what it runs."""
        raise NotImplementedError
