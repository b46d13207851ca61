"""compute-network-agent: one host's agent, or with the fake plumbing as many as are named."""

from __future__ import annotations

from typing import Any

from compute.builtin.network.agent.agent import Agent
from compute.concurrency import all_at_once
from compute.exception import Failed
from compute.health import Health, Probe, timed
from compute.rpc.interface import Interface
from compute.rpc.probe import broker


class NetworkAgentDaemon:
    """What ``service.py`` runs. It has no database: what should be here it is told by compute-network."""

    name = None
    topic = 'network_agent'

    def __init__(self, conf: Any, rpc: Any) -> None:
        self.agents = {host: Agent(conf, rpc, host) for host in (conf.network_agent.hosts or [conf.host])}
        self.watch = Health([broker(rpc, self.topic, next(iter(self.agents))),
                             Probe('wiring', timed(self._look_at_wires), quick=True)], conf.health.interval)

    @staticmethod
    def before_threads(conf: Any) -> None:
        """Start what needs privileges in a process of its own; this one needs none and gives up what it has."""
        if conf.network_agent.driver == 'fake':
            from compute.builtin.network.agent.linux import capabilities
            capabilities.give_up()
        else:
            from compute.builtin.network.agent.linux import privileged
            privileged.before_threads()

    def prepare(self) -> None:
        """Nothing to do before serving."""

    def servers(self) -> list[tuple[str, str, list[Interface]]]:
        """Return one RPC server for each host."""
        return [(self.topic, host, agent.endpoints()) for host, agent in self.agents.items()]

    def start(self) -> None:
        """Fetch what should be, make it so, and begin to report."""
        self.watch.start()
        for agent in self.agents.values():
            agent.start()

    def stop(self) -> None:
        """Stop reporting; what was made stays, so that guests go on."""
        self.watch.stop()
        all_at_once([agent.stop for agent in self.agents.values()], name='agent-stop')

    def health(self) -> list[str]:
        """Return what keeps it from wiring."""
        return self.watch.public_problems()

    def _look_at_wires(self) -> None:
        if problems := [problem for agent in self.agents.values() for problem in agent.problems]:
            raise Failed('; '.join(problems[:5]))
