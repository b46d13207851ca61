"""DAEMON compute-network: the Network API v2.0 and the server's end of its agents.

Any number of processes may run on one database.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from compute import metrics
from compute.builtin.network.api.routes import RESOURCES, ROOT
from compute.builtin.network.api.shape import shape
from compute.builtin.network.app import Network
from compute.builtin.network.control.changes import Changes
from compute.builtin.network.db.exporter import neutron
from compute.builtin.network.db.tables import idempotency
from compute.builtin.network.hints import Hints
from compute.builtin.network.outbox import Outbox
from compute.builtin.network.reports import Reports
from compute.clients.compute import Events, ServerEvents
from compute.concurrency import Periodic
from compute.db.migrate import upgrade
from compute.db.session import Database
from compute.health import Health, Probe
from compute.policies.network import RULES
from compute.rest.idempotency import Answers
from compute.rest.kernel import Api, Kernel
from compute.rest.middleware.auth import CheckToken
from compute.rest.mount import Mount, Wsgi
from compute.rest.policy import Policy
from compute.rpc.interface import Interface
from compute.rpc.probe import broker

LOG = logging.getLogger(__name__)
_MANY_WAIT = 1000
_FORGET_EVERY = 600.0


class NetworkDaemon:
    """Serves networks. ``events`` replaces the client that sends events to Compute: for tests."""

    name = 'network'
    topic = 'network'

    def __init__(self, conf: Any, rpc: Any, events: Events | None = None) -> None:
        self._conf, self._rpc = conf, rpc
        self.db = Database(conf.database.network_connection, conf.database)
        self.hints = Hints(self.db, conf.network, rpc)
        self.app = Network(self.db, conf.network, self._told)
        self._outbox = Outbox(self.db, conf.network, events or ServerEvents(conf))
        self._drain: Periodic | None = None
        self._unwatch: Callable[[], Any] = bool
        self.watch = Health([self.db.probe(), *([broker(rpc, self.topic, conf.host)] if rpc is not None else []), Probe(
            'events', self._outbox.pending, slow_above=_MANY_WAIT, unit='events',
            reason='{value:.0f} events wait for Compute to take them')], conf.health.interval)
        self._answers = Answers(self.db, idempotency)
        self._forget = Periodic(lambda: self._answers.forget(conf.idempotency_retention), _FORGET_EVERY,
                                name='forget-answers')

    def prepare(self) -> None:
        """Bring the schema up to date. :raises Unavailable: the store does not answer."""
        upgrade(self.db, 'compute.builtin.network.db.versions', 'network_version')

    def endpoints(self) -> list[Interface]:
        """Return what agents call."""
        return [Reports(self.app)]

    def applications(self) -> dict[str, Wsgi]:
        """Return the API under ``/v2.0`` and the list of versions at the root."""
        policy = Policy(self._conf, RULES)
        return {'network': Mount({
            '/v2.0': Kernel(Api('network', RESOURCES, self.app, policy, shape, '/v2.0', answers=self._answers)),
            '': Kernel(Api('network versions', ROOT, self.app, policy, shape, ''))})}

    def check_token(self) -> CheckToken | None:
        """Return what checks tokens of the built-in identity."""
        from compute.rest.tokens import TokenChecker
        return TokenChecker(self._conf)

    def listen(self) -> tuple[str, int]:
        """Return host and port."""
        return str(self._conf.network.listen_host), int(self._conf.network.listen_port)

    def start(self) -> None:
        """Begin to tell agents and Compute; events that an earlier process left are sent first."""
        self.hints.start()
        self._forget.start()
        self.watch.start()
        self._unwatch = metrics.source('network', lambda: neutron(self.db, self._conf.network), slow=True, fresh=15.0)
        self._drain = Periodic(self._outbox.drain, self._conf.network.event_interval, name='events-for-compute').start()

    def stop(self) -> None:
        """Stop telling; events that wait stay in the store."""
        self.watch.stop()
        self._unwatch()
        self.hints.stop()
        self._forget.stop()
        if self._drain is not None:
            self._drain.stop()
            self._drain.join(5)
        self.db.dispose()

    def health(self) -> list[str]:
        """Return what does not work now."""
        return self.watch.public_problems()

    def _told(self, changes: Changes) -> None:
        self.hints.note(changes)
        if changes.events and self._drain is not None:
            self._drain.wake()
