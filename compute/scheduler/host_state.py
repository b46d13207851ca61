"""A host as the scheduler weighs it: free amounts as plain numbers, so that a check costs next to nothing."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from compute.db.hosts import limit
from compute.objects.host import Host
from compute.scheduler.request import Request


@dataclass(slots=True, eq=False)
class HostState:
    """What filters and weights read. ``*_limit`` is all that may be claimed, ``*_free`` what is left of it.

    ``sickness`` is 0 for a host that is up by its own word, 1 for degraded, 2 for down; ``alive_until`` is the time
    (seconds since the epoch) after which it counts as down.
    """

    id: int
    service_id: int
    host: str
    node: str
    availability_zone: str
    generation: int
    vcpus: int
    vcpus_limit: int
    vcpus_free: int
    cpu_ratio: float
    memory_mb: int
    memory_mb_limit: int
    memory_mb_free: int
    ram_ratio: float
    disk_gb_limit: int
    disk_gb_free: int
    disk_ratio: float
    real_free_disk_gb: int
    hypervisor_type: str
    hypervisor_version: int
    architectures: tuple[str, ...]
    vm_modes: tuple[str, ...]
    failed_builds: int
    io_ops: int = 0
    disabled: bool = False
    disabled_reason: str | None = None
    forced_down: bool = False
    last_seen: float | None = None
    sickness: int = 0
    alive_until: float = 0.0

    @classmethod
    def of(cls, host: Host, down_after: float) -> HostState:
        """Return the state of a row."""
        vcpus = limit(host.vcpus, host.reserved_vcpus, host.cpu_allocation_ratio)
        memory = limit(host.memory_mb, host.reserved_memory_mb, host.ram_allocation_ratio)
        disk = limit(host.disk_gb, host.reserved_disk_gb, host.disk_allocation_ratio)
        state = cls(
            id=host.id, service_id=host.service_id, host=host.host, node=host.node,
            availability_zone=host.availability_zone, generation=host.generation, vcpus=host.vcpus, vcpus_limit=vcpus,
            vcpus_free=vcpus - host.vcpus_used, cpu_ratio=host.cpu_allocation_ratio, memory_mb=host.memory_mb,
            memory_mb_limit=memory, memory_mb_free=memory - host.memory_mb_used, ram_ratio=host.ram_allocation_ratio,
            disk_gb_limit=disk, disk_gb_free=disk - host.disk_gb_used, disk_ratio=host.disk_allocation_ratio,
            real_free_disk_gb=host.free_disk_gb, hypervisor_type=host.hypervisor_type,
            hypervisor_version=host.hypervisor_version, architectures=host.architectures, vm_modes=host.vm_modes,
            failed_builds=host.failed_builds, io_ops=host.io_ops, sickness=host.sickness)
        state.live(host.service_disabled, host.disabled_reason, host.forced_down, host.last_seen_at, down_after)
        return state

    def live(self, disabled: bool, reason: str | None, forced_down: bool, seen: datetime.datetime | None,
             down_after: float) -> None:
        """Note what the host's service says of itself."""
        self.disabled, self.disabled_reason, self.forced_down = bool(disabled), reason, bool(forced_down)
        self.last_seen = seen.replace(tzinfo=datetime.UTC).timestamp() if seen is not None else None
        self.alive_until = 0.0 if self.last_seen is None or self.forced_down else self.last_seen + down_after

    def charge(self, request: Request, times: int = 1) -> None:
        """Take what a request asks for off the free amounts; give it back with ``times=-1``."""
        self.vcpus_free -= times * request.vcpus
        self.memory_mb_free -= times * request.memory_mb
        self.disk_gb_free -= times * request.disk_gb
        self.io_ops = max(0, self.io_ops + times)
