"""Extra specs that are known, with what their values may be; checked from microversion 2.86 on.

A key outside of the known namespaces is anybody's and is not checked. Inside of one, only the keys listed here are
taken, so that ``hw:cpu_polcy`` is an answer of 400 and not a server that ignores what it was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from oslo_utils import strutils

from compute.exception import Invalid

Check = Callable[[str], str | None]
"""Takes a value; returns what it should have been, or None when it is right."""


def _text(value: str) -> str | None:
    return None


def _switch(value: str) -> str | None:
    try:
        strutils.bool_from_string(value, strict=True)
    except ValueError:
        return 'a boolean'
    return None


def _number(least: int | None = None, most: int | None = None) -> Check:
    def check(value: str) -> str | None:
        if not re.fullmatch(r'-?[0-9]{1,18}', value):
            return 'an integer'
        if least is not None and int(value) < least:
            return f'at least {least}'
        return f'at most {most}' if most is not None and int(value) > most else None
    return check


def _one_of(*values: str) -> Check:
    return lambda value: None if value in values else 'one of ' + ', '.join(values)


def _like(pattern: str, meaning: str) -> Check:
    return lambda value: None if re.fullmatch(pattern, value) else meaning


_ANY_NUMBER, _COUNT, _POSITIVE = _number(), _number(0), _number(1)
_CPUS = _like(r'\^?\d+(-\d+)?(,\^?\d+(-\d+)?)*', 'a list of CPUs such as 0-3,^2')
_PAGES = _like(r'large|small|any|\d+([kKMGT]i?(b|bit|B)?)?', 'large, small, any, or a size such as 2MB')

KNOWN: dict[str, Check] = {
    'hide_hypervisor_id': _switch,
    'group_policy': _one_of('isolate', 'none'),
    'accel:device_profile': _text,
    'hw:boot_menu': _switch,
    'hw:cpu_cores': _POSITIVE, 'hw:cpu_sockets': _POSITIVE, 'hw:cpu_threads': _POSITIVE,
    'hw:cpu_max_cores': _POSITIVE, 'hw:cpu_max_sockets': _POSITIVE, 'hw:cpu_max_threads': _POSITIVE,
    'hw:cpu_policy': _one_of('dedicated', 'mixed', 'shared'),
    'hw:cpu_thread_policy': _one_of('prefer', 'isolate', 'require'),
    'hw:cpu_dedicated_mask': _CPUS,
    'hw:cpu_realtime': _switch, 'hw:cpu_realtime_mask': _CPUS,
    'hw:emulator_threads_policy': _one_of('isolate', 'share'),
    'hw:ephemeral_encryption': _switch, 'hw:ephemeral_encryption_format': _one_of('luks'),
    'hw:hide_hypervisor_id': _switch,
    'hw:input_bus': _one_of('usb', 'virtio'),
    'hw:locked_memory': _switch,
    'hw:maxphysaddr_bits': _number(0, 64), 'hw:maxphysaddr_mode': _one_of('emulate', 'passthrough'),
    'hw:mem_encryption': _switch, 'hw:mem_encryption_model': _one_of('amd-sev', 'amd-sev-es', 'amd-sev-snp'),
    'hw:mem_page_size': _PAGES,
    'hw:numa_nodes': _POSITIVE,
    'hw:pci_numa_affinity_policy': _one_of('required', 'preferred', 'legacy', 'socket'),
    'hw:pmem': _text, 'hw:pmu': _switch,
    'hw:redirected_usb_ports': _number(0, 15),
    'hw:serial_port_count': _COUNT,
    'hw:sound_model': _one_of('ac97', 'es1370', 'ich6', 'ich9', 'pcspk', 'sb16', 'usb', 'virtio'),
    'hw:tpm_model': _one_of('tpm-crb', 'tpm-tis'), 'hw:tpm_version': _one_of('1.2', '2.0'),
    'hw:tpm_secret_security': _one_of('deployment', 'host', 'user'),
    'hw:usb_model': _one_of('qemu-xhci', 'nec-xhci', 'ich9-ehci1', 'piix3-uhci'),
    'hw:vif_multiqueue_enabled': _switch,
    'hw:viommu_model': _one_of('auto', 'intel', 'smmuv3', 'virtio'),
    'hw:virtio_packed_ring': _switch,
    'hw:watchdog_action': _one_of('disabled', 'none', 'pause', 'poweroff', 'reset'),
    'hw_rng:allowed': _switch, 'hw_rng:rate_bytes': _COUNT, 'hw_rng:rate_period': _COUNT,
    'hw_video:ram_max_mb': _COUNT,
    'os:secure_boot': _one_of('disabled', 'optional', 'required'),
    'pci_passthrough:alias': _text,
    'powervm:min_mem': _number(256), 'powervm:max_mem': _number(256), 'powervm:min_vcpu': _POSITIVE,
    'powervm:max_vcpu': _POSITIVE, 'powervm:dedicated_proc': _switch, 'powervm:uncapped': _switch,
    'powervm:shared_weight': _number(0, 255), 'powervm:availability_priority': _number(0, 255),
    'powervm:srr_capability': _switch,
    'powervm:dedicated_sharing_mode': _one_of('share_idle_procs', 'keep_idle_procs', 'share_idle_procs_active',
                                              'share_idle_procs_always'),
    'vmware:hw_version': _text, 'vmware:storage_policy': _text,
    **{f'quota:{name}': _ANY_NUMBER for name in (
        'cpu_limit', 'cpu_period', 'cpu_quota', 'cpu_reservation', 'cpu_shares', 'cpu_shares_share',
        'disk_io_limit', 'disk_io_reservation', 'disk_io_shares_share', 'disk_read_bytes_sec', 'disk_read_iops_sec',
        'disk_total_bytes_sec', 'disk_total_iops_sec', 'disk_write_bytes_sec', 'disk_write_iops_sec', 'memory_limit',
        'memory_reservation', 'memory_shares_share', 'vif_inbound_average', 'vif_inbound_burst', 'vif_inbound_peak',
        'vif_outbound_average', 'vif_outbound_burst', 'vif_outbound_peak', 'vif_limit', 'vif_reservation',
        'vif_shares_share')},
    **{f'quota:{name}_shares_level': _one_of('custom', 'high', 'low', 'normal')
       for name in ('cpu', 'disk_io', 'memory', 'vif')},
    **{f'quota:{name}_burst{suffix}': _ANY_NUMBER
       for name in ('disk_read_bytes_sec', 'disk_read_iops_sec', 'disk_write_bytes_sec', 'disk_write_iops_sec',
                    'disk_total_bytes_sec', 'disk_total_iops_sec') for suffix in ('', '_length')},
}

# Keys with a part that anybody chooses.
PATTERNS: tuple[tuple[re.Pattern[str], Check], ...] = (
    (re.compile(r'hw:numa_cpus\.\d+'), _CPUS),
    (re.compile(r'hw:numa_mem\.\d+'), _POSITIVE),
    (re.compile(r'resources([a-zA-Z0-9_-]{1,64})?:[A-Z0-9_]+'), _COUNT),
    (re.compile(r'trait([a-zA-Z0-9_-]{1,64})?:[A-Z0-9_]+'), _one_of('forbidden', 'required')),
    (re.compile(r'aggregate_instance_extra_specs:.+'), _text),
    (re.compile(r'capabilities:.+'), _text),
)

_NAMESPACES = re.compile(r'(accel|aggregate_instance_extra_specs|capabilities|hw|hw_rng|hw_video|os|pci_passthrough|'
                         r'powervm|quota|resources[a-zA-Z0-9_-]*|trait[a-zA-Z0-9_-]*|vmware):.*')


def validate(specs: dict[str, Any]) -> None:
    """Return if every known spec has a right value. :raises Invalid: names the key, the value and what it may be."""
    for key, value in specs.items():
        check = KNOWN.get(key) or next((check for pattern, check in PATTERNS if pattern.fullmatch(key)), None)
        if check is None:
            if _NAMESPACES.fullmatch(key):
                raise Invalid(f"Validation failed; extra spec '{key}' does not appear to be a valid extra spec.",
                              code='unknown_extra_spec')
            continue
        if wanted := check(str(value)):
            raise Invalid(f"Validation failed; '{value}' is not {wanted}, as extra spec '{key}' has to be.",
                          code='invalid_extra_spec')
