"""The header of a qcow2 file, read without QEMU: the file may be in use, or come from another host.

See docs/interop/qcow2.txt of QEMU for the layout.
"""

from __future__ import annotations

import os
import pathlib
import struct
from dataclasses import dataclass

_MAGIC = b'QFI\xfb'
_FIELDS = struct.Struct('>4sIQIIQ')
"""Magic, version, offset and length of the backing file's name, bits of a cluster, size of the disk."""
_FEATURES_AT = 72
_LONGEST_NAME = 1023
_DATA_FILE = 1 << 2


@dataclass(frozen=True, kw_only=True)
class Header:
    """What it says. ``backing`` is the name of the file that the disk is based on, None for none."""

    size: int
    backing: str | None
    data_file: bool


def read_header(path: pathlib.Path) -> Header | None:
    """Return the header of a file; None if the file is no qcow2. :raises OSError: it cannot be read."""
    with path.open('rb') as file:
        start = file.read(_FEATURES_AT + 8)
        if len(start) < _FIELDS.size or not start.startswith(_MAGIC):
            return None
        _, version, offset, length, _, size = _FIELDS.unpack_from(start)
        backing = None
        if offset:
            file.seek(offset)
            backing = os.fsdecode(file.read(min(length, _LONGEST_NAME)))
    # Version 2 has no features: other things follow there.
    features = int.from_bytes(start[_FEATURES_AT:], 'big') if version > 2 and len(start) == _FEATURES_AT + 8 else 0
    return Header(size=size, backing=backing, data_file=bool(features & _DATA_FILE))


def backing_file(path: pathlib.Path) -> str | None:
    """Return the name of the file that a qcow2 is based on; None if it is based on nothing or not there.

    Any other error is raised: it must not look as if nothing was used.
    """
    try:
        header = read_header(path)
    except FileNotFoundError:
        return None
    return header.backing if header is not None else None
