"""Every RPC server answers ``ping`` with the versions of its interfaces: liveness, and negotiation with older peers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from compute.rpc.interface import Interface, call


class Ping(Interface):
    """Present on every topic."""

    TOPIC = ''
    NAME = 'ping'

    @call(timeout=10)
    def ping(self, context: Any) -> dict[str, str]:
        """Return the version of each interface by its name."""
        raise NotImplementedError


class PingEndpoint(Ping):
    """Answers for a server's endpoints."""

    def __init__(self, endpoints: Sequence[Interface]) -> None:
        self._versions = {endpoint.contract().NAME: endpoint.contract().VERSION for endpoint in endpoints}

    def ping(self, context: Any) -> dict[str, str]:
        return self._versions
