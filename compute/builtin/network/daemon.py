"""DAEMON compute-network: the Network API v2.0 and the server's end of its agents.

Any number of processes may run on one database.
"""

from __future__ import annotations

import logging
from typing import Any

from compute.builtin.network.api.routes import RESOURCES, ROOT
from compute.builtin.network.api.shape import shape
from compute.builtin.network.app import Network
from compute.builtin.network.control.changes import Changes
from compute.builtin.network.hints import Hints
from compute.builtin.network.outbox import Outbox
from compute.builtin.network.reports import Reports
from compute.clients.compute import Events, ServerEvents
from compute.concurrency import Periodic
from compute.db.migrate import upgrade
from compute.db.session import Database
from compute.exception import ComputeError
from compute.policies.network import RULES
from compute.rest.kernel import Api, Kernel
from compute.rest.middleware.auth import CheckToken
from compute.rest.mount import Mount, Wsgi
from compute.rest.policy import Policy
from compute.rpc.interface import Interface

LOG = logging.getLogger(__name__)
_MANY_WAIT = 1000


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
            '/v2.0': Kernel(Api('network', RESOURCES, self.app, policy, shape, '/v2.0')),
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
        self._drain = Periodic(self._outbox.drain, self._conf.network.event_interval, name='events-for-compute').start()

    def stop(self) -> None:
        """Stop telling; events that wait stay in the store."""
        self.hints.stop()
        if self._drain is not None:
            self._drain.stop()
            self._drain.join(5)
        self.db.dispose()

    def health(self) -> list[str]:
        """Return what does not work now."""
        try:
            waiting = self._outbox.pending()
        except ComputeError as error:
            return [error.message]
        return [f'{waiting} events wait for Compute to take them'] if waiting > _MANY_WAIT else []

    def _told(self, changes: Changes) -> None:
        self.hints.note(changes)
        if changes.events and self._drain is not None:
            self._drain.wake()
