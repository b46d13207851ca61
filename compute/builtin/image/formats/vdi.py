"""VDI: a little-endian header after 64 bytes of text."""

from __future__ import annotations

import struct

from compute.builtin.image.formats.seen import Finding, Seen

MAGIC = struct.pack('<I', 0xBEDA107F)
_DYNAMIC, _FIXED = 1, 2


def matches(seen: Seen) -> bool:
    """Tell whether the signature is at its place."""
    return seen.head[0x40:0x44] == MAGIC


def examine(seen: Seen) -> Finding:
    """Return the disk's size; refuse disks with a parent."""
    if len(seen.head) < 0x178:
        return Finding(problem='its VDI header is cut off')
    kind = struct.unpack('<I', seen.head[0x4C:0x50])[0]
    size = struct.unpack('<Q', seen.head[0x170:0x178])[0]
    if kind not in (_DYNAMIC, _FIXED):
        return Finding(size, f'its VDI type is {kind}; supported are dynamic (1) and fixed (2)')
    return Finding(size)
