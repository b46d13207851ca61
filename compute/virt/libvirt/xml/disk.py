"""Disks and the names by which they are ordered."""

from __future__ import annotations

import collections
import string
from collections.abc import Mapping

from compute.virt.libvirt.xml.element import Element, element
from compute.virt.libvirt.xml.spec import Disk, DomainSpec

_PREFIX = {'virtio': 'vd', 'ide': 'hd', 'scsi': 'sd', 'sata': 'sd', 'usb': 'sd'}


class Targets:
    """Hands out target names; buses that share a prefix share the letters."""

    def __init__(self) -> None:
        self._used: collections.Counter[str] = collections.Counter()

    def next(self, bus: str) -> str:
        """Return the next free name on ``bus``."""
        prefix = _PREFIX[bus]
        letter = string.ascii_lowercase[self._used[prefix]]
        self._used[prefix] += 1
        return prefix + letter


def disk(spec: DomainSpec, one: Disk) -> Element:
    """Return one disk."""
    return element(
        'disk',
        element('driver', name='qemu', type=one.format, cache=one.cache,
                discard=None if one.readonly else 'unmap'),
        element('source', file=one.path),
        element('target', dev=one.target, bus=one.bus),
        _iotune(spec.plan.quota.disk) if not one.readonly else None,
        element('readonly') if one.readonly else None,
        element('serial', text=one.serial) if one.serial else None,
        element('boot', order=one.boot) if one.boot else None,
        type='file', device=one.device)


def _iotune(limits: Mapping[str, int]) -> Element | None:
    if not limits:
        return None
    return element('iotune', *(element(name, text=value) for name, value in sorted(limits.items())))


def controllers(spec: DomainSpec) -> list[Element]:
    """Return the SCSI controller where a disk needs one; libvirt adds all others by itself."""
    if not any(one.bus == 'scsi' for one in spec.disks):
        return []
    model = spec.plan.scsi_model
    return [element('controller', type='scsi', index=0, model=model)]
