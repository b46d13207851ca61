"""A file at the destination: ``NAME.part`` until all files of the offer are complete and on disk."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from compute import concurrency, exception
from compute.objects.transfer import OfferedFile
from compute.worker.transfer.digest import ContentDigest
from compute.worker.transfer.extents import BLOCK
from compute.worker.transfer.framing import PART

_SYNC_EVERY = 256 * 1024 * 1024
"""Bytes after which what was written goes to disk, so that the end of a large file does not wait for all of it."""


class Incoming:
    """A file that is fetched. Its methods raise ``Retry`` with ``disk_full``, and ``Failed`` for other disk errors.

    ``received``: bytes of data that have come, those that came twice counted once. ``complete``: it has all its data,
    which is on disk and matches the digest.
    """

    def __init__(self, offered: OfferedFile, folder: Path) -> None:
        self.offered, self.path = offered, folder / offered.name
        self.received, self.complete, self._placed = 0, False, False
        self._part = folder / f'{offered.name}{PART}'
        self._digest = ContentDigest()
        self._position = self._furthest = self._unsynced = 0
        self._descriptor = -1

    def resume(self) -> int:
        """Return the offset from which data is to be sent. At first the file is created, and an earlier one removed."""
        if self._descriptor < 0:
            with disk_errors(self._part):
                self._descriptor = concurrency.offload(_create, self._part, self.offered.size)
        self._position = self._digest.restart()
        return self._position

    def write(self, offset: int, data: bytearray) -> int:
        """Write data, and return how many bytes of it had not come before. :raises Failed: ``transfer_corrupt``"""
        end = offset + len(data)
        if not data or offset < self._position or end > self.offered.size or offset // BLOCK != (end - 1) // BLOCK:
            raise self.corrupt(f'the source sent {len(data)} bytes at {offset}')
        with disk_errors(self._part):
            concurrency.offload(self._store, offset, data)
        self._position = end
        fresh = max(0, end - max(self._furthest, offset))
        self._furthest = max(self._furthest, end)
        self.received += fresh
        return fresh

    def finish(self, sha256: object) -> None:
        """Compare the digests and write everything to disk. :raises Failed: ``transfer_corrupt``"""
        found = concurrency.offload(self._digest.finish, self.offered.size)
        for wanted in filter(None, (sha256, self.offered.sha256)):
            if found != wanted:
                raise self.corrupt(f'its digest is {found}, that of the source {wanted}')
        if not sha256:
            raise self.corrupt('the source sent no digest')
        with disk_errors(self._part):
            concurrency.offload(os.fsync, self._descriptor)
        self._close()
        self.complete = True

    def place(self) -> None:
        """Give the file its name; one that has it is replaced."""
        with disk_errors(self.path):
            os.replace(self._part, self.path)
        self._placed = True

    def discard(self) -> None:
        """Remove the file, whatever name it has."""
        self._close()
        with contextlib.suppress(OSError):
            concurrency.offload((self.path if self._placed else self._part).unlink, missing_ok=True)

    def corrupt(self, why: str) -> exception.Failed:
        """Return the error for a file that cannot be delivered as it was offered."""
        return exception.Failed(f'{self.offered.name} was not transferred: {why}', code='transfer_corrupt')

    def _store(self, offset: int, data: bytearray) -> None:
        """Write and hash. It runs in a native thread where others are green."""
        done = 0
        with memoryview(data) as view:
            while done < len(view):
                done += os.pwrite(self._descriptor, view[done:], offset + done)
        self._digest.feed(offset, data)
        self._unsynced += len(data)
        if self._unsynced >= _SYNC_EVERY:
            self._unsynced = 0
            os.fdatasync(self._descriptor)

    def _close(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            with contextlib.suppress(OSError):
                os.close(descriptor)


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn the errors of the file system into ours, so that none is taken for an error of the connection."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise disk_full(f'{path}: {error.strerror}') from error
        raise exception.Failed(f'{path} cannot be written: {error}', code='disk_create') from error


def disk_full(why: str) -> exception.Retry:
    """Return the error for a transfer that has no room here."""
    return exception.Retry(f'no room for the disks that move here: {why}', code='disk_full',
                           hint='free disk space on this host')


def _create(path: Path, size: int) -> int:
    """Create a file that is one hole."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(descriptor, size)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
