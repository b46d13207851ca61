"""VMDK: a sparse extent with an embedded descriptor (little-endian header at 0), or a bare descriptor in text."""

from __future__ import annotations

import re
import struct

from compute.builtin.image.formats.seen import Finding, Seen

SPARSE, TEXT = b'KDMV', b'# Disk DescriptorFile'
_SECTOR = 512
_TYPES = ('monolithicSparse', 'streamOptimized')
_EXTENT = re.compile(r'^(?:RW|RDONLY|NOACCESS)\s+\d+\s+(\w+)', re.M)


def matches(seen: Seen) -> bool:
    """Tell whether the data is a sparse extent or a descriptor."""
    return seen.head.startswith(SPARSE) or seen.head[:512].lstrip().startswith(TEXT)


def examine(seen: Seen) -> Finding:
    """Return the disk's size; only types that are one file are accepted, and those without a parent."""
    if not seen.head.startswith(SPARSE):
        return Finding(problem='it is a VMDK descriptor, whose data is in other files')
    if len(seen.head) < _SECTOR:
        return Finding(problem='its VMDK header is cut off')
    capacity, _, offset, length = struct.unpack('<QQQQ', seen.head[12:44])
    size = capacity * _SECTOR
    if not offset or not 0 < length <= 2048:
        return Finding(size, 'its VMDK descriptor is missing')
    text = seen.at(offset * _SECTOR, length * _SECTOR).split(b'\0', 1)[0].decode('utf-8', 'replace')
    return Finding(size, _problem(text))


def _problem(text: str) -> str | None:
    kind = _value(text, 'createType')
    if kind not in _TYPES:
        return f'its VMDK type is {kind!r}; supported are {", ".join(_TYPES)}'
    if _value(text, 'parentCID', 'ffffffff').lower() != 'ffffffff' or _value(text, 'parentFileNameHint'):
        return 'it has a parent disk'
    extents = _EXTENT.findall(text)
    if extents != ['SPARSE']:
        return f'its VMDK extents are {", ".join(extents) or "missing"}; supported is a single SPARSE one'
    return None


def _value(text: str, key: str, default: str = '') -> str:
    found = re.search(rf'^\s*{key}\s*=\s*"?([^"\r\n]*?)"?\s*$', text, re.M | re.I)
    return found.group(1) if found else default
