"""QCOW, versions 1 to 3 (docs/interop/qcow2 of QEMU): big-endian header at 0."""

from __future__ import annotations

import struct

from compute.builtin.image.formats.seen import Finding, Seen

MAGIC = b'QFI\xfb'
_EXTERNAL_DATA = 1 << 2
_KNOWN = 0b11111  # dirty, corrupt, external data, compression type, extended L2


def matches(seen: Seen) -> bool:
    """Tell whether the data is QCOW of any version."""
    return seen.head.startswith(MAGIC)


def examine(seen: Seen) -> Finding:
    """Return the disk's size; refuse what refers to other files or cannot be understood."""
    if len(seen.head) < 72:
        return Finding(problem='its qcow2 header is cut off')
    version, backing = struct.unpack('>IQ', seen.head[4:16])
    size = struct.unpack('>Q', seen.head[24:32])[0]
    if version not in (2, 3):
        return Finding(problem=f'it is qcow of version {version}; 2 and 3 are supported')
    if backing:
        return Finding(size, 'it has a backing file')
    if version == 3:
        if len(seen.head) < 104:
            return Finding(problem='its qcow2 header is cut off')
        features = struct.unpack('>Q', seen.head[72:80])[0]
        if features & _EXTERNAL_DATA:
            return Finding(size, 'it keeps its data in an external data file')
        if unknown := features & ~_KNOWN:
            return Finding(size, f'it has the unknown incompatible features {unknown:#x}')
    return Finding(size)
