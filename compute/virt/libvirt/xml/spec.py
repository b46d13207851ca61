"""What a domain is made from: the values that the other modules here turn into elements."""

from __future__ import annotations

from dataclasses import dataclass, field

from compute.objects.instance import Instance
from compute.objects.nic import Nic
from compute.virt.hardware import Plan


@dataclass(frozen=True, kw_only=True)
class Disk:
    """One disk. ``target`` is the name that libvirt orders by (vda); ``boot`` its place in the boot order, if any."""

    path: str
    target: str
    bus: str
    format: str = 'qcow2'
    device: str = 'disk'
    cache: str = 'writeback'
    serial: str | None = None
    boot: int | None = None

    @property
    def readonly(self) -> bool:
        """Tell whether the guest may only read it."""
        return self.device == 'cdrom'


@dataclass(frozen=True, kw_only=True)
class Cpu:
    """The CPU model: ``mode`` as libvirt names it or ``none``; ``model`` with mode custom; ``flags`` with sign."""

    mode: str = 'none'
    model: str | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class KernelBoot:
    """A direct kernel boot: what QEMU loads in place of a boot loader. Paths on the host."""

    kernel: str
    ramdisk: str | None
    command_line: str


@dataclass(frozen=True, kw_only=True)
class DomainSpec:
    """All that a domain's XML says."""

    instance: Instance
    plan: Plan
    virt_type: str
    architecture: str
    machine: str | None
    cpu: Cpu = field(default_factory=Cpu)
    disks: tuple[Disk, ...] = ()
    nics: tuple[Nic, ...] = ()
    kernel_boot: KernelBoot | None = None
    console_log: str = ''
    vnc_listen: str = '127.0.0.1'
    manufacturer: str = ''
    product: str = ''
    stats_period: int = 10

    @property
    def is_x86(self) -> bool:
        """Tell whether the guest is a PC."""
        return self.architecture in ('x86_64', 'i686')
