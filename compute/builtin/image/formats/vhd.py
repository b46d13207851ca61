"""VHD: a footer of 512 bytes, big-endian, at the end; a dynamic disk has a copy of it at the beginning."""

from __future__ import annotations

import struct

from compute.builtin.image.formats.seen import Finding, Seen

MAGIC = b'conectix'
_FIXED, _DYNAMIC, _DIFFERENCING = 2, 3, 4


def matches(seen: Seen) -> bool:
    """Tell whether the beginning or the end (only known when all has passed) is a footer."""
    return seen.head.startswith(MAGIC) or seen.tail.startswith(MAGIC)


def examine(seen: Seen) -> Finding:
    """Return the disk's size; refuse disks with a parent."""
    footer = seen.head[:512] if seen.head.startswith(MAGIC) else seen.tail
    if len(footer) < 84:
        return Finding(problem='its VHD footer is cut off')
    size, kind = struct.unpack('>Q', footer[48:56])[0], struct.unpack('>I', footer[60:64])[0]
    if kind == _DIFFERENCING:
        return Finding(size, 'it is a differencing VHD, which needs its parent disk')
    if kind not in (_FIXED, _DYNAMIC):
        return Finding(size, f'its VHD type is {kind}; supported are fixed (2) and dynamic (3)')
    return Finding(size)
