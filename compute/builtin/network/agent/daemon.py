"""compute-network-agent: one host's agent, or with the fake plumbing as many as are named."""

from __future__ import annotations

from typing import Any

from compute.builtin.network.agent.agent import Agent
from compute.rpc.interface import Interface


class NetworkAgentDaemon:
    """What ``service.py`` runs. It has no database: what should be here it is told by compute-network."""

    name = None
    topic = 'network_agent'

    def __init__(self, conf: Any, rpc: Any) -> None:
        self.agents = {host: Agent(conf, rpc, host) for host in (conf.network_agent.hosts or [conf.host])}

    def prepare(self) -> None:
        """Nothing to do before serving."""

    def servers(self) -> list[tuple[str, str, list[Interface]]]:
        """Return one RPC server for each host."""
        return [(self.topic, host, agent.endpoints()) for host, agent in self.agents.items()]

    def start(self) -> None:
        """Fetch what should be, make it so, and begin to report."""
        for agent in self.agents.values():
            agent.start()

    def stop(self) -> None:
        """Stop reporting; what was made stays, so that guests go on."""
        for agent in self.agents.values():
            agent.stop()

    def health(self) -> list[str]:
        """Return nothing: an agent says what is wrong in its heartbeats."""
        return []
