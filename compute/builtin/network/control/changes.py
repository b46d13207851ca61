"""One transaction's work: its connection, the options, and notes of what agents have to hear of afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.engine import Connection


@dataclass
class Changes:
    """Notes taken during a transaction; what agents are told is then derived from the rows, not from the notes.

    :ivar ports: (host, network id, port id) of ports that are, or were, bound to that host.
    :ivar networks: networks whose own description (subnets, MTU ...) changed.
    :ivar groups: security groups whose rules changed.
    :ivar members: security groups whose members, or members' addresses, changed.
    :ivar events: whether there are new events for Compute.
    """

    ports: set[tuple[str, str, str]] = field(default_factory=set)
    networks: set[str] = field(default_factory=set)
    groups: set[str] = field(default_factory=set)
    members: set[str] = field(default_factory=set)
    events: bool = False


@dataclass
class Work:
    """Handed to everything in ``control``. ``options`` is the ``[network]`` group."""

    connection: Connection
    options: Any
    changes: Changes = field(default_factory=Changes)
