"""Which parts of a file are data and which are holes, as the file system says (SEEK_DATA, SEEK_HOLE)."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

BLOCK = 1024 * 1024
"""The grid on which data is read, sent and hashed."""


def pieces(descriptor: int, size: int, start: int) -> Iterator[tuple[int, int]]:
    """Yield offset and length of the data from ``start`` on, in order, cut at multiples of ``BLOCK``. It may block."""
    for begin, end in _data(descriptor, size, start):
        while begin < end:
            upto = min(end, begin - begin % BLOCK + BLOCK)
            yield begin, upto - begin
            begin = upto


def data_bytes(descriptor: int, size: int) -> int:
    """Return how many bytes of a file are not in holes. It may block."""
    return sum(end - begin for begin, end in _data(descriptor, size, 0))


def _data(descriptor: int, size: int, position: int) -> Iterator[tuple[int, int]]:
    while position < size:
        begin = _seek(descriptor, position, os.SEEK_DATA, position)
        if begin is None or begin >= size:
            return
        end = _seek(descriptor, begin, os.SEEK_HOLE, size)
        position = size if end is None else min(end, size)
        yield begin, position


def _seek(descriptor: int, position: int, what: int, unknown: int) -> int | None:
    """Return the next data or hole; None where there is none, ``unknown`` on a file system that cannot tell."""
    try:
        return os.lseek(descriptor, position, what)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return None
        if error.errno in (errno.EINVAL, errno.EOPNOTSUPP):
            return unknown
        raise
