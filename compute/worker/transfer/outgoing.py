"""A file at the source, and how it is sent."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from compute import concurrency, exception, metrics
from compute.objects.transfer import OfferedFile
from compute.worker.transfer import extents
from compute.worker.transfer.digest import ContentDigest, of_file
from compute.worker.transfer.extents import BLOCK
from compute.worker.transfer.framing import DATA, END, FAILED, FramedSocket, Malformed, check_name

LOG = logging.getLogger(__name__)
_SMALL = BLOCK
"""A file with no more data than this is hashed when it is offered, not when it is sent."""


class _Undeliverable(Exception):
    """The file cannot be sent as it was offered."""


class Outgoing:
    """A file that is offered. It must not change until the transfer has ended; a change fails the transfer.

    The digest goes on from one connection to the next, so that a resumed transfer reads nothing twice but what it sends
    again. Only one connection may send the file at a time.

    :raises Failed: ``disk_missing``: there is no such file. ``transfer_refused``: its name, or it is no plain file.
    """

    def __init__(self, name: str, path: Path) -> None:
        check_name(name)
        self._path = path
        self._digest = ContentDigest()
        try:
            self._mark, self.offered = concurrency.offload(_look_at, name, path)
        except OSError as error:
            raise exception.Failed(f'{path} cannot be read: {error.strerror}', code='disk_missing') from error

    def send(self, socket: FramedSocket, start: int, pace: Callable[[int], object]) -> None:
        """Send the file from an offset on, up to its digest, or the reason why it cannot be sent.

        :raises OSError: the connection is broken, or the file cannot be resumed at that offset.
        """
        if start < 0 or start % BLOCK or start > self._digest.restart():
            raise Malformed(f'{self.offered.name} cannot be resumed at {start}')
        try:
            with self._opened() as descriptor:
                self._send_data(socket, descriptor, start, pace)
                self._check_unchanged(descriptor)
            digest = concurrency.offload(self._digest.finish, self.offered.size)
        except _Undeliverable as error:
            LOG.error('%s cannot be transferred: %s', self._path, error)
            socket.send_frame(FAILED, 0, json.dumps({'reason': str(error)}).encode())
        else:
            socket.send_frame(END, self.offered.size, json.dumps({'sha256': digest}).encode())

    def _send_data(self, socket: FramedSocket, descriptor: int, start: int, pace: Callable[[int], object]) -> None:
        pieces = extents.pieces(descriptor, self.offered.size, start)
        while (piece := self._read(descriptor, pieces)) is not None:
            offset, data = piece
            socket.send_frame(DATA, offset, data, pace)
            metrics.count('compute_transfer_bytes_total', 'sent', by=len(data))

    def _read(self, descriptor: int, pieces: Iterator[tuple[int, int]]) -> tuple[int, bytes] | None:
        try:
            return concurrency.offload(self._read_next, descriptor, pieces)
        except OSError as error:
            raise _Undeliverable(f'it cannot be read: {error.strerror}') from error

    def _read_next(self, descriptor: int, pieces: Iterator[tuple[int, int]]) -> tuple[int, bytes] | None:
        """Read a piece and take it into the digest. It runs in a native thread where others are green."""
        offset, length = next(pieces, (0, 0))
        if not length:
            return None
        data = os.pread(descriptor, length, offset)
        if len(data) != length:
            raise _Undeliverable('it became shorter')
        self._digest.feed(offset, data)
        return offset, data

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        try:
            descriptor = concurrency.offload(os.open, self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise _Undeliverable(f'it cannot be opened: {error.strerror}') from error
        try:
            self._check_unchanged(descriptor)
            yield descriptor
        finally:
            os.close(descriptor)

    def _check_unchanged(self, descriptor: int) -> None:
        if _mark(os.fstat(descriptor)) != self._mark:
            raise _Undeliverable('it was changed after it was offered')


def _look_at(name: str, path: Path) -> tuple[tuple[int, ...], OfferedFile]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # whatever it is, do not wait for it
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise exception.Failed(f'{path} is not a plain file', code='transfer_refused')
        data = extents.data_bytes(descriptor, found.st_size)
        return _mark(found), OfferedFile(name=name, size=found.st_size, data_bytes=data,
                                         sha256=of_file(descriptor, found.st_size) if data <= _SMALL else None)
    finally:
        os.close(descriptor)


def _mark(found: os.stat_result) -> tuple[int, ...]:
    """Return what changes when somebody writes to a file or replaces it; its owner, which libvirt changes, is not."""
    return found.st_ino, found.st_size, found.st_mtime_ns
