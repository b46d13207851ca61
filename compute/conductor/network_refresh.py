"""Refreshes the ports of servers, so that a server shows the current state of its network.

Events ask for it, and a periodic sweep finds what no event told. Requests for the same server are coalesced: a server
leaves the waiting list before its ports are read, so an event that comes while they are read has them read once more.

A refresh never overwrites newer data. It writes only if the server has no open operation and its ports in the
store are still those that were there before Network was asked; otherwise the server is read again later. An operation
that starts the guest reads the ports itself and writes them when it ends.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection

from sqlalchemy.engine import Connection

from compute import context as ctx
from compute import exception, states
from compute.clients import ports
from compute.conductor.conductor import Conductor
from compute.db import instances, services
from compute.objects.instance import Instance
from compute.objects.nic import Nic
from compute.objects.value import encode
from compute.rpc.conductor import NetworkInfo

LOG = logging.getLogger(__name__)
_MOST = 20000
_BATCH = 100
_GIVE_UP = 3600.0


class NetworkRefresh:
    """The refresh of one conductor. ``retry_in``: seconds after which a busy server is looked at again."""

    def __init__(self, conductor: Conductor, retry_in: float = 5.0) -> None:
        self._conductor, self._retry_in = conductor, retry_in
        self._lock = threading.Lock()
        self._waiting: dict[str, tuple[float, float]] = {}  # when it is due, and when it is given up
        self._last = 0

    def request(self, servers: Collection[str]) -> None:
        """Queue servers for a refresh of their ports. Above a limit they wait for the periodic refresh."""
        due = time.monotonic()
        with self._lock:
            if len(self._waiting) + len(servers) > _MOST:
                LOG.warning('%d servers wait for a refresh of their ports; %d more wait for the periodic refresh',
                            len(self._waiting), len(servers))
                return
            self._waiting.update((uuid, (due, due + _GIVE_UP)) for uuid in servers)

    def run(self) -> int:
        """Read the ports of the servers that wait and are due; return how many servers were read."""
        count = 0
        while batch := self._due():
            try:
                again = self.refresh(batch)
            except exception.ComputeError as error:
                LOG.warning('the ports of %d servers are read again later: %s', len(batch), error.message)
                again = set(batch)
            self._later({uuid: batch[uuid] for uuid in again})
            count += len(batch)
        return count

    def sweep(self) -> int:
        """Read the ports of the next batch of all servers, if this conductor may; return how many servers were read."""
        conductor, options = self._conductor, self._conductor.conf.conductor
        owner = f'{conductor.owner}#{conductor.incarnation}'
        if not conductor.db.transaction(lambda connection: services.take_lease(
                connection, 'network-refresh', owner, options.network_refresh_interval * 3 + 10)):
            return 0
        batch = conductor.db.read(lambda connection: instances.idle_on_hosts(
            connection, self._last, options.network_refresh_batch))
        try:
            self.refresh({instance.uuid for instance in batch}, batch)
        except exception.Unavailable:
            raise  # the same batch comes next time
        except exception.ComputeError as error:
            LOG.warning('the ports of %d servers could not be read: %s', len(batch), error.message)
        self._last = batch[-1].id if len(batch) == options.network_refresh_batch else 0
        return len(batch)

    def refresh(self, servers: Collection[str], known: Collection[Instance] | None = None) -> set[str]:
        """Read the ports of servers and write what changed; return the servers to look at again later.

        :param known: these servers as they were just read. :raises ComputeError: Network does not tell.
        """
        if known is None:
            known = self._conductor.db.read(lambda connection: instances.of_uuids(connection, servers)).values()
        idle = [each for each in known if each.task_state is None]
        again = {each.uuid for each in known if each.task_state not in (None, states.DELETING)}
        found = ports.current(self._conductor.cloud.networks, idle)
        for before in idle:
            if before.uuid not in found:
                again.add(before.uuid)
                continue
            nics = tuple(each.nic for each in found[before.uuid])
            if nics != before.nics and not self._write(before, nics):
                again.add(before.uuid)
        return again

    def _write(self, before: Instance, nics: tuple[Nic, ...]) -> bool:
        """Write the ports of a server; False when the server changed since its ports were read."""
        def write(connection: Connection) -> bool:
            try:
                current = instances.lock(connection, before.uuid)
            except exception.NotFound:
                return True
            if current.task_state is not None or current.nics != before.nics:
                return False
            return instances.update(connection, before.uuid, nics=encode(nics))
        written = self._conductor.db.transaction(write)
        if written:
            lost = {nic.port_id for nic in before.nics} - {nic.port_id for nic in nics}
            LOG.info('the ports of server %s changed; %s', before.uuid,
                     f'lost: {", ".join(sorted(lost))}' if lost else 'none was lost')
        return written

    def _due(self) -> dict[str, float]:
        """Take servers that are due off the list; return when each is given up."""
        now = time.monotonic()
        with self._lock:
            due = [uuid for uuid, (at, _) in self._waiting.items() if at <= now][:_BATCH]
            return {uuid: self._waiting.pop(uuid)[1] for uuid in due}

    def _later(self, servers: dict[str, float]) -> None:
        now = time.monotonic()
        with self._lock:
            for uuid, end in servers.items():
                if end > now:  # a request that came meanwhile stays as it is
                    self._waiting.setdefault(uuid, (now + self._retry_in, end))


class NetworkInfoEndpoint(NetworkInfo):
    """Takes requests for a refresh."""

    def __init__(self, refresh: NetworkRefresh) -> None:
        self._refresh = refresh

    def refresh(self, context: ctx.RequestContext, *, servers: tuple[str, ...]) -> None:
        self._refresh.request(servers)
