"""A hypervisor host: what it has, what is claimed on it, and whether it is alive."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """What a driver found on its host. Memory MiB, disk GiB. Versions as libvirt counts them (9000000 = 9.0.0)."""

    node: str
    vcpus: int
    memory_mb: int
    disk_gb: int
    free_disk_gb: int = 0
    hypervisor_type: str = 'QEMU'
    hypervisor_version: int = 0
    architectures: tuple[str, ...] = ('x86_64',)
    vm_modes: tuple[str, ...] = ('hvm',)
    host_ip: str = '127.0.0.1'
    cpu_info: dict[str, object] = field(default_factory=dict)
    traits: tuple[str, ...] = ()
    uptime: str = ''


@dataclass(frozen=True, kw_only=True)
class Host:
    """A host with its use. ``generation`` rises with every claim; ``*_used`` are the sums of the claims on it."""

    id: int = 0
    uuid: str
    host: str
    node: str
    availability_zone: str = 'nova'
    vcpus: int = 0
    memory_mb: int = 0
    disk_gb: int = 0
    free_disk_gb: int = 0
    vcpus_used: int = 0
    memory_mb_used: int = 0
    disk_gb_used: int = 0
    reserved_memory_mb: int = 0
    reserved_disk_gb: int = 0
    reserved_vcpus: int = 0
    cpu_allocation_ratio: float = 4.0
    ram_allocation_ratio: float = 1.0
    disk_allocation_ratio: float = 1.0
    running_vms: int = 0
    io_ops: int = 0
    failed_builds: int = 0
    hypervisor_type: str = 'QEMU'
    hypervisor_version: int = 0
    architectures: tuple[str, ...] = ('x86_64',)
    vm_modes: tuple[str, ...] = ('hvm',)
    host_ip: str = '127.0.0.1'
    cpu_info: dict[str, object] = field(default_factory=dict)
    traits: tuple[str, ...] = ()
    uptime: str = ''
    generation: int = 0
    service_id: int = 0
    service_uuid: str = ''
    service_disabled: bool = False
    disabled_reason: str | None = None
    forced_down: bool = False
    sickness: int = 0
    last_seen_at: datetime.datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Service:
    """A daemon that reports itself. ``incarnation`` is new at every start; ``last_seen_at`` its last heartbeat.

    ``health`` is what it said of itself then: ``state``, ``reasons``, ``release``; empty where it said nothing.
    """

    id: int = 0
    uuid: str
    host: str
    binary: str
    topic: str = ''
    zone: str = 'internal'
    version: int = 1
    incarnation: str = ''
    disabled: bool = False
    disabled_reason: str | None = None
    forced_down: bool = False
    health: dict[str, Any] = field(default_factory=dict)
    last_seen_at: datetime.datetime | None = None
    created_at: datetime.datetime | None = None
    updated_at: datetime.datetime | None = None

    def is_up(self, now: datetime.datetime, down_after: float) -> bool:
        """Tell whether a heartbeat came within ``down_after`` seconds and nobody forced it down."""
        if self.forced_down or self.last_seen_at is None:
            return False
        return (now - self.last_seen_at).total_seconds() <= down_after
