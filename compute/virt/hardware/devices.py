"""Devices and firmware: which models an image asks for, with the defaults that every modern guest can use.

Names and values of the properties are those of the image metadata definitions that OpenStack's tools write.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from compute.objects import architecture
from compute.objects.instance import Instance
from compute.virt.hardware import properties
from compute.virt.hardware.quota import Quota, quota
from compute.virt.hardware.topology import Topology, topology

DISK_BUSES = ('virtio', 'scsi', 'ide', 'sata', 'usb')
CDROM_BUSES = ('ide', 'sata', 'scsi', 'virtio', 'usb')
SCSI_MODELS = ('virtio-scsi', 'lsilogic', 'lsisas1068', 'lsisas1078', 'buslogic', 'vmpvscsi')
VIF_MODELS = ('virtio', 'e1000', 'e1000e', 'rtl8139', 'ne2k_pci', 'pcnet', 'vmxnet3', 'igb')
VIDEO_MODELS = ('virtio', 'vga', 'cirrus', 'qxl', 'bochs', 'vmvga', 'none')
WATCHDOG_ACTIONS = ('disabled', 'reset', 'poweroff', 'pause', 'none')
ARCHITECTURES = ('x86_64', 'i686', 'aarch64', 'armv7l', 'ppc64', 'ppc64le', 's390x', 'riscv64')
_MACHINE_LENGTH = 64


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The hardware of one guest. None where the driver's own default shall hold.

    ``watchdog`` None: no watchdog. ``rng`` False: no entropy device; ``rng_bytes`` and ``rng_period`` (milliseconds)
    limit it. ``video_ram_mb`` 0: the model's own.
    """

    architecture: str | None = None
    machine: str | None = None
    firmware: str = 'bios'
    disk_bus: str = 'virtio'
    cdrom_bus: str | None = None
    scsi_model: str = 'virtio-scsi'
    vif_model: str = 'virtio'
    video_model: str = 'virtio'
    video_ram_mb: int = 0
    pointer: bool = True
    input_bus: str = 'usb'
    rng: bool = True
    rng_bytes: int = 0
    rng_period: int = 0
    guest_agent: bool = False
    watchdog: str | None = None
    boot_menu: bool = False
    hpet: bool = False
    topology: Topology = field(default_factory=lambda: Topology(1))
    quota: Quota = field(default_factory=Quota)


def plan(instance: Instance) -> Plan:
    """Return the hardware of an instance. :raises Failed: a property has a value that no host understands."""
    image, flavor = properties.of_image(instance), properties.of_flavor(instance)
    watchdog = image.choice('hw_watchdog_action', WATCHDOG_ACTIONS) or flavor.choice(
        'hw:watchdog_action', WATCHDOG_ACTIONS)
    image.choice('hw_rng_model', ('virtio',))
    rng = flavor.flag('hw_rng:allowed')
    return Plan(
        architecture=_architecture(image),
        machine=_machine(image),
        firmware=image.choice('hw_firmware_type', ('bios', 'uefi')) or 'bios',
        disk_bus=image.choice('hw_disk_bus', DISK_BUSES) or 'virtio',
        cdrom_bus=image.choice('hw_cdrom_bus', CDROM_BUSES),
        scsi_model=image.choice('hw_scsi_model', SCSI_MODELS) or 'virtio-scsi',
        vif_model=image.choice('hw_vif_model', VIF_MODELS) or 'virtio',
        video_model=image.choice('hw_video_model', VIDEO_MODELS) or 'virtio',
        video_ram_mb=_video_ram(image, flavor),
        pointer=image.choice('hw_pointer_model', ('usbtablet', 'ps2mouse')) != 'ps2mouse',
        input_bus=image.choice('hw_input_bus', ('usb', 'virtio')) or 'usb',
        rng=rng is not False,
        rng_bytes=flavor.number('hw_rng:rate_bytes', 1, 2 ** 31) or 0,
        rng_period=flavor.number('hw_rng:rate_period', 1, 2 ** 31) or 0,
        guest_agent=bool(image.flag('hw_qemu_guest_agent')),
        watchdog=None if watchdog == 'disabled' else watchdog,
        boot_menu=bool(image.flag('hw_boot_menu') or flavor.flag('hw:boot_menu')),
        hpet=bool(image.flag('hw_time_hpet')),
        topology=topology(instance), quota=quota(instance))


def _architecture(image: properties.Properties) -> str | None:
    name = next((name for name in architecture.PROPERTIES if image.text(name)), '')
    wanted = architecture.spelled(image.text(name) or '')
    if wanted and wanted not in ARCHITECTURES:
        raise image.error(name, f'one of {", ".join(ARCHITECTURES)}')
    return wanted or None


def _machine(image: properties.Properties) -> str | None:
    """Return the machine type; which of them exist only the hypervisor knows, so only the form is checked."""
    name = image.text('hw_machine_type')
    if name is not None and (len(name) > _MACHINE_LENGTH or not name.replace('-', '').replace('.', '').isalnum()):
        raise image.error('hw_machine_type', 'a machine type such as pc, q35 or pc-q35-7.2')
    return name


def _video_ram(image: properties.Properties, flavor: properties.Properties) -> int:
    most = flavor.number('hw_video:ram_max_mb', 0, 65536)
    return image.number('hw_video_ram', 0, 65536 if most is None else most) or 0
