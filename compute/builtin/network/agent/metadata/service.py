"""Listens at 169.254.169.254 in each network of this host and knows which guest has which address there.

The listening socket is made inside the network's namespace; everything after that happens in this process, in a
bounded pool of threads.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import threading
import time
from collections.abc import Mapping
from typing import Any

from compute import concurrency
from compute.builtin.network.agent.metadata.proxy import Asker, Upstream, serve
from compute.builtin.network.agent.plumbing import Plumbing
from compute.objects.wiring import NetworkWiring

LOG = logging.getLogger(__name__)
PER_GUEST, LONGEST_REQUEST, LOOK_EVERY, PAUSE = 4, 120.0, 5.0, 0.2


class Listener:
    """One network's metadata address.

    Requests of a guest beyond ``PER_GUEST`` at once are refused, and one that takes longer than ``LONGEST_REQUEST``
    seconds is cut off, so that slow guests cannot keep the pool from the others.
    """

    def __init__(self, network: NetworkWiring, sock: socket.socket, generation: int, upstream: Upstream,
                 pool: concurrency.Pool) -> None:
        self.generation = generation
        self._socket, self._upstream, self._pool = sock, upstream, pool
        self._lock = threading.Lock()
        self._busy: dict[str, int] = {}
        self._open: dict[socket.socket, float] = {}
        self._closed = False
        self._askers: dict[str, Asker] = {}
        self.update(network)
        concurrency.spawn(self._accept, name=f'metadata-{network.id}')

    def update(self, network: NetworkWiring) -> None:
        """Take over who has which address."""
        self._askers = askers(network)

    def close(self) -> None:
        """Listen no more."""
        self._closed = True
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            LOG.debug('metadata socket was closed before')
        self._socket.close()

    def _accept(self) -> None:
        self._socket.settimeout(LOOK_EVERY)
        while not self._closed:
            self._cut_off()
            try:
                connection, peer = self._socket.accept()
            except TimeoutError:
                continue
            except OSError as error:
                if not self._closed:  # no descriptor is free, say: that passes
                    LOG.warning('a metadata request could not be taken: %s', error)
                    time.sleep(PAUSE)
                continue
            self._hand_over(connection, peer[0])

    def _hand_over(self, connection: socket.socket, address: str) -> None:
        with self._lock:
            free = self._busy.get(address, 0) < PER_GUEST
            if free:
                self._busy[address] = self._busy.get(address, 0) + 1
        if not free:
            connection.close()
            return
        try:
            self._pool.submit(self._serve, connection, address)
        except (concurrency.Pool.Full, RuntimeError):
            self._release(address)
            connection.close()

    def _serve(self, connection: socket.socket, address: str) -> None:
        with self._lock:
            self._open[connection] = time.monotonic()
        try:
            serve(connection, address, self._askers.get(address), self._upstream)
        finally:
            with self._lock:
                del self._open[connection]
            self._release(address)

    def _cut_off(self) -> None:
        oldest = time.monotonic() - LONGEST_REQUEST
        with self._lock:
            late = [connection for connection, begun in self._open.items() if begun < oldest]
        for connection in late:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                LOG.debug('a late metadata request had just ended')

    def _release(self, address: str) -> None:
        with self._lock:
            self._busy[address] -= 1
            if not self._busy[address]:
                del self._busy[address]


class MetadataService:
    """Keeps one listener for each network that is wired here."""

    def __init__(self, conf: Any, plumbing: Plumbing) -> None:
        options = conf.network_agent
        self._plumbing = plumbing
        self._upstream = Upstream(options.metadata_url, options.metadata_shared_secret, options.metadata_timeout)
        self._workers = options.metadata_workers
        self._signed = bool(options.metadata_shared_secret)
        self._pool: concurrency.Pool | None = None
        self._listeners: dict[str, Listener] = {}

    def apply(self, networks: Mapping[str, NetworkWiring | None]) -> None:
        """Serve these networks as stated; None ends one. A network without its namespace is tried again later."""
        for network_id, network in networks.items():
            if network is None:
                self._end(network_id)
            else:
                self._ensure(network)

    def sync(self, networks: list[NetworkWiring]) -> None:
        """Serve exactly these networks."""
        gone: dict[str, NetworkWiring | None] = {known: None for known in self._listeners}
        self.apply({**gone, **{network.id: network for network in networks}})

    def stop(self) -> None:
        """Close all listeners."""
        for network_id in list(self._listeners):
            self._end(network_id)
        if self._pool is not None:
            self._pool.shutdown()

    def _ensure(self, network: NetworkWiring) -> None:
        generation = self._plumbing.generation(network.id)
        listener = self._listeners.get(network.id)
        if listener is not None and listener.generation == generation:
            listener.update(network)
            return
        self._end(network.id)
        try:
            sock = self._plumbing.listen(network.id)
        except OSError as error:
            LOG.warning('no metadata in network %s: %s', network.id, error)
            return
        if sock is None:
            return
        if self._pool is None:
            self._pool = concurrency.Pool('metadata', self._workers)
            if not self._signed:
                LOG.warning('[network_agent] metadata_shared_secret is empty: whoever reaches compute-metadata can '
                            'ask in the name of any instance')
        self._listeners[network.id] = Listener(network, sock, generation, self._upstream, self._pool)

    def _end(self, network_id: str) -> None:
        if (listener := self._listeners.pop(network_id, None)) is not None:
            listener.close()


def askers(network: NetworkWiring) -> dict[str, Asker]:
    """Return who has which address in a network."""
    return {str(ipaddress.ip_address(fixed.address)): Asker(port.device_id, port.project_id)
            for port in network.ports if port.device_id for fixed in port.fixed_ips}
