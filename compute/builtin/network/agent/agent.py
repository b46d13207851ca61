"""The agent of one host: takes messages, keeps the host as it should be, reports.

Messages only change what is ``Desired`` and say which networks are touched. One thread makes it so: it takes
everything that was touched since its last turn in one go, so a burst of messages costs one reload of the packet
filter. When nothing happens it checks everything at ``heal_interval``. The whole state is fetched at the start and
again at ``resync_interval``, since a message is only a hint. All state is the object's: a process may have many agents.
"""

from __future__ import annotations

import logging
import threading
import uuid
from typing import TYPE_CHECKING, Any

from compute import concurrency, context, exception
from compute.builtin.network.agent.desired import Desired
from compute.builtin.network.agent.fake import FakePlumbing
from compute.builtin.network.agent.metadata.service import MetadataService
from compute.builtin.network.agent.plumbing import Outcome, Plumbing
from compute.builtin.network.agent.reporter import Reporter
from compute.objects.residue import Wire
from compute.objects.value import now
from compute.objects.wiring import AgentReport, NetworkWiring, PortWiring, unpacked
from compute.rpc.interface import Interface
from compute.rpc.network_agent import AgentReports, Wiring

if TYPE_CHECKING:
    from compute.rpc.transport import Rpc

LOG = logging.getLogger(__name__)
FIRST_RETRY, LAST_RETRY = 0.5, 10.0


def make_plumbing(conf: Any) -> Plumbing:
    """Return what ``[network_agent] driver`` names."""
    if conf.network_agent.driver == 'fake':
        return FakePlumbing()
    from compute.builtin.network.agent.linux.remote import RemotePlumbing
    return RemotePlumbing(conf)


class Agent:
    """One host's agent. Serve ``endpoints()`` on topic network_agent, then ``start()``; ``stop()`` at the end."""

    def __init__(self, conf: Any, rpc: Rpc, host: str, plumbing: Plumbing | None = None) -> None:
        self.host = host
        self.incarnation = str(uuid.uuid4())
        self.started_at = now().isoformat()
        self.desired = Desired()
        self.plumbing = plumbing or make_plumbing(conf)
        self._options = conf.network_agent
        self._reports = rpc.client(AgentReports)
        self._reporter = Reporter(self._reports, host)
        self._metadata = MetadataService(conf, self.plumbing)
        self._condition = threading.Condition()
        self._touched: set[str] = set()
        self._announce: set[str] = set()
        self._said: dict[str, str | None] = {}
        self._everything = False
        self._synced = self._stopped = False
        self._problems: tuple[str, ...] = ()
        self._periodic: list[concurrency.Periodic] = []
        self._beat: concurrency.Periodic | None = None
        self._resync: concurrency.Periodic | None = None
        self._worker: threading.Thread | None = None

    @property
    def problems(self) -> tuple[str, ...]:
        """What the last pass could not make so."""
        return self._problems

    def endpoints(self) -> list[Interface]:
        """Return what the RPC server of topic network_agent, server ``host``, answers for."""
        return [WiringEndpoint(self)]

    def start(self) -> None:
        """Begin to work; returns at once, the first full pass follows when the network daemon answers."""
        self.plumbing.start()
        self._reporter.start()
        self._worker = concurrency.spawn(self._work, name=f'network-agent-{self.host}')
        self._beat = concurrency.Periodic(self._heartbeat, self._options.heartbeat_interval, name='network-heartbeat')
        self._resync = concurrency.Periodic(self._fetch, self._options.resync_interval, name='network-resync')
        self._periodic = [self._beat.start(), self._resync.start()]

    def stop(self) -> None:
        """Stop working after the current pass. What is wired stays wired."""
        for periodic in self._periodic:
            periodic.stop()
        self._reporter.stop()
        with self._condition:
            self._stopped = True
            self._condition.notify_all()
        if self._worker is not None:
            self._worker.join(30)
        self._metadata.stop()
        self.plumbing.stop()

    @staticmethod
    def cleanup(conf: Any) -> tuple[str, ...]:
        """Remove every trace of the agent from this host, needing no server; return what was removed."""
        plumbing = make_plumbing(conf)
        plumbing.start()
        try:
            return plumbing.cleanup()
        finally:
            plumbing.stop()

    def wire(self, network: NetworkWiring, port: PortWiring) -> None:
        """See ``Wiring.wire``."""
        self.desired.wire(network, port)
        self._touch(network.id, announce={port.id})

    def unwire(self, network_id: str, port_id: str) -> None:
        """See ``Wiring.unwire``."""
        self.desired.unwire(network_id, port_id)
        self._reporter.forget(port_id)
        with self._condition:
            self._said.pop(port_id, None)
        self._touch(network_id)

    def refresh(self) -> None:
        """See ``Wiring.refresh``."""
        if self._resync is not None:
            self._resync.wake()

    def _touch(self, network_id: str | None, announce: set[str] | None = None) -> None:
        with self._condition:
            if network_id is None:
                self._everything = True
            else:
                self._touched.add(network_id)
            self._announce |= announce or set()
            self._condition.notify_all()

    def _heartbeat(self) -> None:
        networks, ports = self.desired.counts()
        self._reports.heartbeat(context.internal(), report=AgentReport(
            host=self.host, incarnation=self.incarnation, started_at=self.started_at,
            networks=networks, ports=ports, problems=self._problems))

    def _fetch(self) -> None:
        pause = FIRST_RETRY
        while not self._stopped:
            since = self.desired.moment()
            try:
                networks = [unpacked(network) for network in self._reports.state(
                    context.internal(), host=self.host, pack=True)]
            except exception.ComputeError as error:
                LOG.warning('no state from the network daemon for host %s, asking again in %.1f s: %s',
                            self.host, pause, error.message)
            else:
                changed = self.desired.replace(networks, since)
                with self._condition:
                    first, self._synced = not self._synced, True
                self._touch(None, announce=changed)
                if first and self._beat is not None:
                    self._beat.wake()  # the network daemon may have missed the beat at the start
                return
            with self._condition:
                self._condition.wait_for(lambda: self._stopped, pause)
            pause = min(pause * 2, LAST_RETRY)

    def _work(self) -> None:
        while True:
            with self._condition:
                # Before the first state nobody knows what else should be here and must not be disturbed.
                self._condition.wait_for(lambda: self._stopped or self._synced)
                self._condition.wait_for(lambda: self._stopped or self._everything or self._touched,
                                         self._options.heal_interval)
                if self._stopped:
                    return
                everything = self._everything or not self._touched
                touched, self._touched = self._touched, set()
                announce, self._announce = self._announce, set()
                self._everything = False
            self._turn(touched, announce, everything)

    def _turn(self, touched: set[str], announce: set[str], everything: bool) -> None:
        try:
            if everything:
                networks = self.desired.all()
                outcome = self.plumbing.sync(networks)
                self._metadata.sync(networks)
            else:
                wanted = {network_id: self.desired.network(network_id) for network_id in touched}
                networks = [network for network in wanted.values() if network is not None]
                outcome = self.plumbing.apply(wanted)
                self._metadata.apply(wanted)
        except Exception as error:
            self._failed(error, touched, announce)
            return
        for change in outcome.changes:
            LOG.info('%s: %s', self.host, change)
        if everything:
            self._problems = outcome.problems
            here = {port.id for network in networks for port in network.ports}
            with self._condition:
                self._said = {port_id: said for port_id, said in self._said.items() if port_id in here}
        self._report(networks, outcome, announce)

    def _failed(self, error: Exception, touched: set[str], announce: set[str]) -> None:
        LOG.error('host %s could not be wired, trying again: %s', self.host, error,
                  exc_info=not isinstance(error, exception.ComputeError))
        self._problems = (f'wiring failed: {error}',)
        if self._beat is not None:
            self._beat.wake()  # wakes servers that wait for their ports
        with self._condition:
            self._condition.wait_for(lambda: self._stopped, 1.0)
            self._touched |= touched
            self._announce |= announce
            self._everything = True

    def _report(self, networks: list[NetworkWiring], outcome: Outcome, announce: set[str]) -> None:
        for port in (port for network in networks for port in network.ports):
            reason = outcome.failed.get(port.id)
            if reason is None and not port.admin_up:
                continue
            with self._condition:
                if port.id not in announce and self._said.get(port.id, '') == reason:
                    continue
                self._said[port.id] = reason
            self._reporter.say(port.id, reason)


class WiringEndpoint(Wiring):
    """Answers for ``Wiring`` on behalf of an agent."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def wire(self, context: Any, *, network: NetworkWiring, port: PortWiring) -> None:
        self._agent.wire(network, port)

    def unwire(self, context: Any, *, network_id: str, port_id: str) -> None:
        self._agent.unwire(network_id, port_id)

    def refresh(self, context: Any) -> None:
        self._agent.refresh()

    def wires(self, context: Any) -> list[Wire]:
        return self._agent.plumbing.wires()
