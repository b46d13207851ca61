"""Tells agents what changed. A hint may get lost: the rows are the truth, and agents fetch them from time to time.

Hints are collected and sent by one thread, which derives what to say from the rows as they are then. So a burst of
changes becomes few messages, and no message says anything that is no longer so.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from compute import concurrency, context
from compute.builtin.network.control import wiring
from compute.builtin.network.control.binding import TAP
from compute.builtin.network.control.changes import Changes
from compute.builtin.network.db import tables as t
from compute.builtin.network.db.rows import Row, every
from compute.db.session import Database
from compute.exception import ComputeError
from compute.rpc.network_agent import Wiring

LOG = logging.getLogger(__name__)
RETRY_IN = 2.0
# An agent asks for everything at least this often: no hint is needed after that.
KEPT = 120.0


class Hints:
    """``note`` never blocks. ``rpc`` None sends nothing: a daemon without agents."""

    def __init__(self, database: Database, options: Any, rpc: Any) -> None:
        self._database, self._options, self._rpc = database, options, rpc
        self._lock = threading.Lock()
        self._pending = Changes()
        self._news = threading.Event()
        self._members: set[str] = set()
        self._due = 0.0
        self._unsent_since: float | None = None
        self._sender = concurrency.Periodic(self.flush, 3600, name='agent-hints', immediately=False, jitter=0)

    def start(self) -> None:
        """Begin to send."""
        self._sender.start()

    def stop(self) -> None:
        """Send no more."""
        self._sender.stop()

    def note(self, changes: Changes) -> None:
        """Take the notes of a transaction that is committed."""
        if not (changes.ports or changes.networks or changes.groups or changes.members):
            return
        self._keep(changes)
        self._news.set()
        self._sender.wake()

    def flush(self) -> None:
        """Send what is pending; it returns when that is done, so a test may call it."""
        while True:
            self._news.clear()
            with self._lock:
                changes, self._pending = self._pending, Changes()
            try:
                ports, now = self._database.read(lambda connection: self._who(connection, changes))  # noqa: B023
                for host in sorted(now):
                    self._refresh(host)
                self._wire(ports)
                self._unsent_since = None
            except ComputeError as error:
                if self._soon_again(changes):
                    LOG.warning('agents are told of a change later: %s', error.message)
                    return
                LOG.warning('agents were not told of a change, they will see it when they next ask: %s', error.message)
            if changes.members and not self._members:
                self._due = time.monotonic() + self._options.refresh_interval
            self._members |= changes.members
            if not self._members and not self._has_pending():
                return
            if self._members:
                self._tell_members()

    def _soon_again(self, changes: Changes) -> bool:
        """Keep what could not be sent for another attempt; False when agents have asked by themselves since."""
        since = self._unsent_since = self._unsent_since or time.monotonic()
        if time.monotonic() - since > KEPT:
            self._unsent_since = None
            return False
        self._keep(changes)
        timer = threading.Timer(RETRY_IN, self._sender.wake)
        timer.daemon = True
        timer.start()
        return True

    def _keep(self, changes: Changes) -> None:
        with self._lock:
            for name in ('ports', 'networks', 'groups', 'members'):
                getattr(self._pending, name).update(getattr(changes, name))

    def _has_pending(self) -> bool:
        with self._lock:
            changes = self._pending
            return bool(changes.ports or changes.networks or changes.groups or changes.members)

    def _who(self, connection: Any, changes: Changes) -> tuple[dict[str, set[tuple[str, str]]], set[str]]:
        """Return the ports to tell of by host, and the hosts to refresh at once."""
        ports: dict[str, set[tuple[str, str]]] = {}
        touched = set(changes.ports)
        if changes.groups:
            touched |= wiring.ports_of_groups(connection, changes.groups)
        for host, network_id, port_id in touched:
            ports.setdefault(host, set()).add((network_id, port_id))
        refresh = wiring.hosts_of_networks(connection, changes.networks) if changes.networks else set()
        refresh |= {host for host, some in ports.items() if len(some) > self._options.wire_limit}
        return {host: some for host, some in ports.items() if host not in refresh}, refresh

    def _wire(self, ports: dict[str, set[tuple[str, str]]]) -> None:
        """Tell each host of its ports: how those that are bound to it are now, and that the others are gone."""
        told = [(host, network_id, port_id) for host, some in sorted(ports.items())
                for network_id, port_id in sorted(some)]
        if not told:
            return

        def read(connection: Any) -> tuple[dict[str, str], Any]:
            rows: list[Row] = every(connection, t.ports, t.ports.c.id.in_(sorted({port_id for _, _, port_id in told})),
                                    t.ports.c.vif_type == TAP)
            here = {row['id']: row['host'] for row in rows}
            mine = [row for row in rows if any(row['id'] == port for _, port in ports.get(row['host'], ()))]
            return here, wiring.wirings(connection, mine, self._options)
        here, networks = self._database.read(read)
        for host, network_id, port_id in told:
            if here.get(port_id) != host:
                self._rpc.client(Wiring, server=host).unwire(context.internal(), network_id=network_id,
                                                             port_id=port_id)
        for network in networks:
            only = network_only(network)
            for port in network.ports:
                self._rpc.client(Wiring, server=here[port.id]).wire(context.internal(), network=only, port=port)

    def _refresh(self, host: str) -> None:
        self._rpc.client(Wiring, server=host).refresh(context.internal())

    def _tell_members(self) -> None:
        """Refresh the hosts with rules that name the groups, when it is time; else wait while nothing is to be told."""
        wait = self._due - time.monotonic()
        if wait > 0:
            self._news.wait(wait)
            return
        members, self._members = self._members, set()
        try:
            for host in sorted(self._database.read(lambda connection: wiring.hosts_of_members(connection, members))):
                self._refresh(host)
        except ComputeError as error:
            LOG.warning('agents were not told of new members of security groups: %s', error.message)


def network_only(network: Any) -> Any:
    """Return a network without its ports: what goes with one port's message."""
    import dataclasses
    return dataclasses.replace(network, ports=())
