"""VHDX (MS-VHDX): region tables at 192 KiB, one of whose entries is the metadata region with size and parent flag."""

from __future__ import annotations

import struct
import uuid

from compute.builtin.image.formats.seen import Finding, Seen

MAGIC = b'vhdxfile'
_REGIONS = 192 * 1024
_METADATA = uuid.UUID('8B7CA206-4790-4B9A-B8FE-575F050F886E')
_SIZE = uuid.UUID('2FA54224-CD1B-4876-B211-5DBED83BF4B8')
_PARAMETERS = uuid.UUID('CAA16737-FA36-4D43-B3B6-33F0AA44E76B')
_HAS_PARENT = 1 << 1


def matches(seen: Seen) -> bool:
    """Tell whether the file type identifier is there."""
    return seen.head.startswith(MAGIC)


def wants(seen: Seen) -> tuple[int, int] | None:
    """Return where the metadata region is, so that it is kept when it passes."""
    if seen.at(_REGIONS, 4) != b'regi':
        return None
    count = struct.unpack('<I', seen.at(_REGIONS + 8, 4))[0]
    for number in range(min(count, 2047)):
        entry = seen.at(_REGIONS + 16 + 32 * number, 32)
        if len(entry) == 32 and uuid.UUID(bytes_le=entry[:16]) == _METADATA:
            offset, length = struct.unpack('<QI', entry[16:28])
            return offset, length
    return None


def examine(seen: Seen) -> Finding:
    """Return the disk's size; refuse disks with a parent and those whose metadata cannot be found."""
    region = wants(seen)
    if region is None:
        return Finding(problem='its VHDX region table is missing or damaged')
    start = region[0]
    if seen.at(start, 8) != b'metadata':
        return Finding(problem='its VHDX metadata is missing')
    items = _items(seen, start)
    size_at, parameters_at = items.get(_SIZE), items.get(_PARAMETERS)
    if size_at is None or parameters_at is None:
        return Finding(problem='its VHDX metadata lacks the size or the parameters of the disk')
    raw_size, raw_parameters = seen.at(size_at, 8), seen.at(parameters_at, 8)
    if len(raw_size) < 8 or len(raw_parameters) < 8:
        return Finding(problem='its VHDX metadata is cut off')
    size = struct.unpack('<Q', raw_size)[0]
    if struct.unpack('<II', raw_parameters)[1] & _HAS_PARENT:
        return Finding(size, 'it is a differencing VHDX, which needs its parent disk')
    return Finding(size)


def _items(seen: Seen, start: int) -> dict[uuid.UUID, int]:
    raw = seen.at(start + 10, 2)
    count = struct.unpack('<H', raw)[0] if len(raw) == 2 else 0
    found = {}
    for number in range(min(count, 2047)):
        entry = seen.at(start + 32 + 32 * number, 32)
        if len(entry) == 32:
            found[uuid.UUID(bytes_le=entry[:16])] = start + struct.unpack('<I', entry[16:20])[0]
    return found
