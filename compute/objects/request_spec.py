"""What the scheduler is asked for, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field

from compute.objects.flavor import Flavor
from compute.objects.image import Image

CURRENT, INCOMING, OUTGOING = 'current', 'incoming', 'outgoing'
"""Purposes of claims: the server's own; where an operation is taking it, or its new size; its old place or size while a
resize waits for confirmation."""


@dataclass(frozen=True, kw_only=True)
class ServerGroup:
    """A server group as the scheduler needs it: policy and where its members are."""

    uuid: str
    policy: str
    rules: dict[str, int] = field(default_factory=dict)
    member_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RequestSpec:
    """One server to place. ``excluded`` hosts were tried already.

    :param leaves: a host that the server must leave. :param purpose: of the claim: CURRENT for a server without a
        host, INCOMING for one that moves or changes its size.

    ``same_hosts`` and ``different_hosts`` are where the servers of these hints are; None: there is no such hint.
    """

    instance_uuid: str
    operation_id: int = 0
    project_id: str = ''
    user_id: str = ''
    flavor: Flavor
    image: Image | None = None
    availability_zone: str | None = None
    host: str | None = None
    node: str | None = None
    excluded: tuple[str, ...] = ()
    hints: dict[str, object] = field(default_factory=dict)
    group: ServerGroup | None = None
    same_hosts: tuple[str, ...] | None = None
    different_hosts: tuple[str, ...] | None = None
    purpose: str = CURRENT
    leaves: str | None = None

    @property
    def vcpus(self) -> int:
        """Virtual CPUs to claim."""
        return self.flavor.vcpus

    @property
    def memory_mb(self) -> int:
        """Memory to claim, MiB."""
        return self.flavor.memory_mb

    @property
    def disk_gb(self) -> int:
        """Local disk to claim, GiB."""
        return self.flavor.disk_gb


@dataclass(frozen=True, kw_only=True)
class Rejection:
    """Why one host was dropped: the filter, and a sentence with the number that fell short."""

    host: str
    filter: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The host that was chosen and claimed, and up to ``max_attempts - 1`` others, best first, not claimed."""

    host_id: int
    host: str
    node: str
    alternates: tuple[str, ...] = ()
    considered: int = 0
    rejections: tuple[Rejection, ...] = ()
