"""What agents call: the whole truth about their hosts, and the fate of their ports."""

from __future__ import annotations

from typing import Any

from compute.builtin.network.app import Network
from compute.builtin.network.control import agents, ports, wiring
from compute.objects.wiring import AgentReport, NetworkWiring, packed
from compute.rpc.network_agent import AgentReports


class Reports(AgentReports):
    """The endpoint on topic ``network``. An agent is believed only about ports bound to its host."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def state(self, context: Any, *, host: str, pack: bool = False) -> list[NetworkWiring]:
        """Return the networks of a host as the rows say."""
        found = self._network.look(lambda work: wiring.of_host(work.connection, host, work.options))
        return [packed(network) for network in found] if pack else found

    def port_up(self, context: Any, *, host: str, port_id: str) -> None:
        """Make the port ACTIVE and tell its server. :raises Stale: it is not bound to that host."""
        for error in self._network.do(lambda work: ports.report_up(work, host, [port_id])).values():
            raise error

    def ports_up(self, context: Any, *, host: str, port_ids: list[str]) -> list[str]:
        """Make ports ACTIVE, tell their servers, and return those that are not bound to that host."""
        return list(self._network.do(lambda work: ports.report_up(work, host, port_ids)))

    def port_failed(self, context: Any, *, host: str, port_id: str, reason: str) -> None:
        """Make the port ERROR and tell its server. :raises Stale: it is not bound to that host."""
        self._network.do(lambda work: ports.report_failed(work, host, port_id, reason))

    def heartbeat(self, context: Any, *, report: AgentReport) -> None:
        """Keep that the agent lives."""
        self._network.do(lambda work: agents.heartbeat(work, report))
