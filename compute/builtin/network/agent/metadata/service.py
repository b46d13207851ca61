"""Listens at 169.254.169.254 in each network of this host and knows which guest has which address there.

The listening socket is made inside the network's namespace; everything after that happens in this process. Each network
has an HTTP server of its own, and all take their threads from the same slots. A request takes one when it is complete.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import logging
import socket
from collections.abc import Iterable, Mapping
from typing import Any

from compute import concurrency
from compute.builtin.network.agent.metadata.proxy import Asker, MetadataProxy, Upstream
from compute.builtin.network.agent.plumbing import Plumbing
from compute.http.rules import Rules
from compute.http_server import Slots
from compute.objects.wiring import NetworkWiring

LOG = logging.getLogger(__name__)
PER_GUEST, PER_NETWORK = 4, 2000
STRANGERS = ''
"""The client that all addresses without an instance count as."""


def rules_of(options: Any) -> Rules:
    """Return the limits for guests, of the group ``[http]``: a guest has few connections, each for one request."""
    return Rules(header_timeout=options.header_timeout, body_timeout=options.body_timeout,
                 idle_timeout=options.header_timeout, least_rate=options.least_rate, per_address=PER_GUEST,
                 connections=PER_NETWORK, keep_alive=False, of_options=False)


class Listener:
    """One network's metadata address.

    An instance has ``PER_GUEST`` connections there, whichever of its addresses they come from; all strangers together
    have as many. What comes too slowly, or is taken too slowly, ends by ``rules``.
    """

    def __init__(self, network: NetworkWiring, sock: socket.socket, generation: int, upstream: Upstream,
                 slots: Slots, rules: Rules) -> None:
        self.generation = generation
        self._socket = sock
        self._askers: dict[str, Asker] = {}
        self.update(network)
        self._server = slots.backend(MetadataProxy(self._asker, upstream), sock, dataclasses.replace(
            rules, client_of=self._client))
        self._server.start()

    def update(self, network: NetworkWiring) -> None:
        """Take over who has which address."""
        self._askers = askers(network)

    def close(self) -> None:
        """Listen no more, and end the connections."""
        self._server.refuse(empty=False)
        self._socket.close()
        self._server.end()

    def _asker(self, address: str) -> Asker | None:
        return self._askers.get(address)

    def _client(self, address: str) -> str:
        asker = self._askers.get(address)
        # With the project: any project may write the id of a foreign server into its own port.
        return STRANGERS if asker is None else f'{asker.project_id}/{asker.instance_id}'


class MetadataService:
    """Keeps one listener for each network that is wired here."""

    def __init__(self, conf: Any, plumbing: Plumbing) -> None:
        options = conf.network_agent
        self._plumbing = plumbing
        self._upstream = Upstream(options.metadata_url, options.metadata_shared_secret, options.metadata_timeout)
        self._rules, self._workers = rules_of(conf.http), options.metadata_workers
        self._signed = bool(options.metadata_shared_secret)
        self._slots: Slots | None = None
        self._listeners: dict[str, Listener] = {}

    def apply(self, networks: Mapping[str, NetworkWiring | None]) -> None:
        """Serve these networks as stated; None ends one. A network without its namespace is tried again later."""
        ended = [self._listeners.pop(network_id) for network_id, network in networks.items() if network_id in
                 self._listeners and (network is None or not self._is_current(network_id))]
        for network in networks.values():
            if network is not None:
                self._ensure(network)
        _close(ended)

    def sync(self, networks: list[NetworkWiring]) -> None:
        """Serve exactly these networks."""
        gone: dict[str, NetworkWiring | None] = {known: None for known in self._listeners}
        self.apply({**gone, **{network.id: network for network in networks}})

    def stop(self) -> None:
        """Close all listeners."""
        listeners, self._listeners = self._listeners, {}
        _close(listeners.values())
        if self._slots is not None:
            self._slots.end()

    def _is_current(self, network_id: str) -> bool:
        """Return whether the listener of a network is in the namespace that the network has now."""
        return self._listeners[network_id].generation == self._plumbing.generation(network_id)

    def _ensure(self, network: NetworkWiring) -> None:
        if (listener := self._listeners.get(network.id)) is not None:
            listener.update(network)
            return
        generation = self._plumbing.generation(network.id)
        try:
            sock = self._plumbing.listen(network.id)
        except OSError as error:
            LOG.warning('no metadata in network %s: %s', network.id, error)
            return
        if sock is None:
            return
        if self._slots is None:
            self._slots = Slots(self._workers)
            if not self._signed:
                LOG.warning('[network_agent] metadata_shared_secret is empty: whoever reaches compute-metadata can '
                            'ask in the name of any instance')
        self._listeners[network.id] = Listener(network, sock, generation, self._upstream, self._slots, self._rules)


def _close(listeners: Iterable[Listener]) -> None:
    """Close listeners, all at the same time: a green one takes a moment to notice."""
    concurrency.all_at_once([listener.close for listener in listeners], name='metadata-end')


def askers(network: NetworkWiring) -> dict[str, Asker]:
    """Return who has which address in a network."""
    return {str(ipaddress.ip_address(fixed.address)): Asker(port.device_id, port.project_id)
            for port in network.ports if port.device_id for fixed in port.fixed_ips}
