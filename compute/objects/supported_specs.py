"""Which extra specs of flavors and which properties of images have an effect on a guest.

``HONOURED`` names are read by ``virt/hardware``, a driver or the scheduler (a test compares). ``SATISFIED`` gives the
values of other names that ask for nothing but what every guest has anyway. Everything else in these namespaces asks for
something that this release does not do (pinned CPUs, huge pages, encrypted memory, PCI devices ...), and a server must
not be made as if it did. Names in other namespaces (``vendor:key``) mean nothing to Compute and are left alone, as Nova
leaves them. A name without a namespace is a requirement on hosts (Nova's ComputeCapabilitiesFilter), which nothing here
checks: it is not supported.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from compute.objects import architecture

_OFF = ('0', 'f', 'false', 'off', 'n', 'no', '')
_DISK = tuple(f'quota:disk_{way}_{what}_sec' for way in ('total', 'read', 'write') for what in ('bytes', 'iops'))

HONOURED_SPECS = frozenset((
    'hw:boot_menu', 'hw:watchdog_action', 'hw_rng:allowed', 'hw_rng:rate_bytes', 'hw_rng:rate_period',
    'hw_video:ram_max_mb', 'hw:cpu_sockets', 'hw:cpu_cores', 'hw:cpu_threads', 'hw:cpu_max_sockets', 'hw:cpu_max_cores',
    'hw:cpu_max_threads', 'quota:cpu_shares', 'quota:cpu_period', 'quota:cpu_quota', *_DISK))

SATISFIED_SPECS: dict[str, tuple[str, ...]] = {
    'hw:cpu_policy': ('shared',), 'hw:emulator_threads_policy': ('share',), 'hw:mem_page_size': ('small', 'any'),
    'os:secure_boot': ('disabled', 'optional'), 'hw:redirected_usb_ports': ('0',), 'group_policy': ('none',),
    **{name: _OFF for name in (
        'hw:cpu_realtime', 'hw:ephemeral_encryption', 'hw:hide_hypervisor_id', 'hide_hypervisor_id', 'hw:locked_memory',
        'hw:mem_encryption', 'hw:vif_multiqueue_enabled', 'hw:virtio_packed_ring')}}

HONOURED_PROPERTIES = frozenset((
    'hw_boot_menu', 'hw_cdrom_bus', 'hw_cpu_sockets', 'hw_cpu_cores', 'hw_cpu_threads', 'hw_cpu_max_sockets',
    'hw_cpu_max_cores', 'hw_cpu_max_threads', 'hw_disk_bus', 'hw_firmware_type', 'hw_input_bus', 'hw_machine_type',
    'hw_pointer_model', 'hw_qemu_guest_agent', 'hw_rng_model', 'hw_scsi_model', 'hw_time_hpet', 'hw_video_model',
    'hw_video_ram', 'hw_vif_model', 'hw_vm_mode', 'hw_watchdog_action', *architecture.PROPERTIES))

# What concerns operations or devices that no guest has yet: they do not change the guest that is made.
LATER_PROPERTIES = frozenset(('hw_rescue_bus', 'hw_rescue_device', 'hw_floppy_bus'))

SATISFIED_PROPERTIES: dict[str, tuple[str, ...]] = {
    'hw_cpu_policy': ('shared',), 'hw_emulator_threads_policy': ('share',), 'hw_mem_page_size': ('small', 'any'),
    'os_secure_boot': ('disabled', 'optional'), 'hw_redirected_usb_ports': ('0',),
    **{name: _OFF for name in (
        'hw_cpu_realtime', 'hw_ephemeral_encryption', 'hw_firmware_stateless', 'hw_hide_hypervisor_id', 'hw_ipxe_boot',
        'hw_locked_memory', 'hw_mem_encryption', 'hw_vif_multiqueue_enabled', 'hw_virtio_packed_ring',
        'img_hide_hypervisor_id')}}

_SPECS = re.compile(r'(accel|aggregate_instance_extra_specs|capabilities|hw|hw_rng|hw_video|os|pci_passthrough|powervm|'
                    r'quota|resources[a-zA-Z0-9_-]*|trait[a-zA-Z0-9_-]*|vmware):.*|[^:]*', re.S)
_PROPERTIES = re.compile(r'hw_.*|os_secure_boot|img_hide_hypervisor_id|(trait|resources)[a-zA-Z0-9_-]*:.*', re.S)


def unsupported_specs(specs: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return the extra specs, with their values, that would have no effect on a guest."""
    return [(name, str(value)) for name, value in sorted(specs.items())
            if _SPECS.fullmatch(name) and name not in HONOURED_SPECS
            and str(value).strip().lower() not in SATISFIED_SPECS.get(name, ())]


def unsupported_properties(properties: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return the properties of an image, with their values, that would have no effect on a guest."""
    known = HONOURED_PROPERTIES | LATER_PROPERTIES
    return [(name, str(value)) for name, value in sorted(properties.items())
            if _PROPERTIES.fullmatch(name) and name not in known
            and str(value).strip().lower() not in SATISFIED_PROPERTIES.get(name, ())]
