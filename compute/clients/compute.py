"""The Compute API as the network sees it: where it tells that a port was wired, as Neutron does."""

from __future__ import annotations

from typing import Any, Protocol

from oslo_config import cfg

from compute.clients.session import Neighbour


class Events(Protocol):
    """Tells Compute what happened to the ports or volumes of servers."""

    def send(self, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Send events (``name``, ``server_uuid``, ``status``, ``tag``) and return them with a ``code`` each.

        Sending one twice does no harm. :raises NotFound: Compute knows none of the servers. :raises Unavailable:
        """


class ServerEvents:
    """The same over HTTP, as the service user."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._service = Neighbour(conf, 'compute')

    def send(self, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Send events."""
        if not events:
            return []
        answer = self._service.json('POST', '/os-server-external-events', service=True, repeatable=True,
                                    json={'events': events})
        found: list[dict[str, Any]] = answer['events']
        return found
