"""The digest of a sparse file, computed on both sides while its data passes by.

It is the SHA-256 of this: for each block of ``BLOCK`` bytes that is not all zeros, its number (8 bytes, big-endian) and
its content, the last one filled up with zeros; then the size of the file (8 bytes). It depends on the content only, and
not on which zeros are holes, so neither a hole of a terabyte nor a resumed transfer needs a second reading.
"""

from __future__ import annotations

import hashlib
import os

from compute.worker.transfer import extents
from compute.worker.transfer.extents import BLOCK

_ZEROS = bytes(BLOCK)


class ContentDigest:
    """Takes in the data of a file in ascending order. What is not fed is zeros.

    ``settled``: everything before this offset is included, and is ignored when it is fed again.
    """

    def __init__(self) -> None:
        self.settled = 0
        self._hash = hashlib.sha256()
        self._block: bytearray | None = None

    def feed(self, offset: int, data: bytes | bytearray) -> None:
        """Take in data that does not cross the border of a block."""
        begin = offset - offset % BLOCK
        if begin < self.settled:
            return
        if begin > self.settled:
            self._settle(begin)
        if self._block is None:
            self._block = bytearray(BLOCK)
        self._block[offset - begin:offset - begin + len(data)] = data
        if offset - begin + len(data) == BLOCK:
            self._settle(begin + BLOCK)

    def restart(self) -> int:
        """Forget the unfinished block, and return the offset at which it begins: feeding goes on there."""
        self._block = None
        return self.settled

    def finish(self, size: int) -> str:
        """Return the digest of a file of so many bytes, all of whose data was fed."""
        if self.settled < size:
            self._settle(size)
        whole = self._hash.copy()
        whole.update(size.to_bytes(8, 'big'))
        return whole.hexdigest()

    def _settle(self, upto: int) -> None:
        if self._block is not None and self._block != _ZEROS:
            self._hash.update((self.settled // BLOCK).to_bytes(8, 'big'))
            self._hash.update(self._block)
        self._block, self.settled = None, upto


def of_file(descriptor: int, size: int) -> str:
    """Return the digest of an open file; it is read whole, and this blocks meanwhile."""
    digest = ContentDigest()
    for offset, length in extents.pieces(descriptor, size, 0):
        digest.feed(offset, os.pread(descriptor, length, offset))
    return digest.finish(size)
