"""What a worker says when it starts, and what it is told."""

from __future__ import annotations

from dataclasses import dataclass

from compute.objects.instance import Instance
from compute.objects.operation import OperationRef


@dataclass(frozen=True, kw_only=True)
class HostReport:
    """Who starts. ``node_uuid`` is the host's identity, kept in a file on it; the name is only a label.

    ``aside``: servers whose guests are set aside here, or whose files are fetched here.
    """

    host: str
    incarnation: str
    node_uuid: str
    availability_zone: str = 'nova'
    version: int = 1
    cpu_allocation_ratio: float = 4.0
    ram_allocation_ratio: float = 1.0
    disk_allocation_ratio: float = 1.0
    reserved_vcpus: int = 0
    reserved_memory_mb: int = 512
    reserved_disk_gb: int = 0
    aside: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Registration:
    """What the predecessor left: operations it held, and servers that are here.

    ``left_aside``: servers whose guests are set aside or fetched here although nothing of them is to be here any more:
    their moves were confirmed or failed, or they were deleted, while this host had no heartbeat. ``lease``: the seconds
    for which the ledger grants leases.
    """

    service_uuid: str
    held: tuple[OperationRef, ...] = ()
    instances: tuple[Instance, ...] = ()
    left_aside: tuple[str, ...] = ()
    lease: float = 30.0
