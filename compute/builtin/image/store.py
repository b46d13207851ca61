"""The data of images as files: ``<store>/<image id>`` when complete, ``<store>/uploads/<upload id>`` while it comes.

An upload holds an exclusive lock on its file from before the image's row says "saving" until after the row says
"active" or "queued" again; the lock goes with the process. So whoever gets the lock of such a file knows that its
upload is dead, and cleans up after it (``sweep.py``), at once after a kill -9 and without any clock.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import logging
import os
import uuid
from collections.abc import Iterator
from contextlib import suppress
from typing import IO, Any

from compute import metrics
from compute.concurrency import offload
from compute.exception import ComputeError, NotFound, TooLarge, Unavailable

LOG = logging.getLogger(__name__)
BLOCK = 1024 * 1024
_UPLOADS = 'uploads'


class FileStore:
    """A directory of images. Methods that touch the disk go through ``offload``: disks may be slow, or remote."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.uploads = os.path.join(path, _UPLOADS)

    def prepare(self) -> None:
        """Make the directories. :raises Unavailable: they cannot be made or written."""
        try:
            os.makedirs(os.path.join(self.path, _UPLOADS), mode=0o750, exist_ok=True)
        except OSError as error:
            raise _store_error(error, self.path) from error
        if problem := self.problem():
            raise Unavailable(problem, code='store_unavailable')

    def problem(self) -> str | None:
        """Return why data cannot be stored now, or None."""
        return None if os.access(os.path.join(self.path, _UPLOADS), os.W_OK | os.X_OK) else (
            f'the image store {self.path} is not a directory that can be written')

    def upload(self) -> Upload:
        """Begin an upload: an empty, locked file. :raises TooLarge: disk full. :raises Unavailable:"""
        try:
            return offload(_open_upload, self.path)
        except OSError as error:
            raise _store_error(error, self.path) from error

    def open(self, image_id: str, size: int, start: int, length: int) -> Blocks:
        """Return ``length`` bytes from ``start`` on of an image that has ``size`` bytes.

        :raises NotFound: the file is missing, or has another size.
        """
        try:
            file: Any = offload(open, self.final(image_id), 'rb', 0)
        except FileNotFoundError:
            _report_damage(image_id, 'missing', 'the store has no file of it')
            raise NotFound(f'The data of image {image_id} is not in the store.', code='image_data_missing') from None
        except OSError as error:
            raise _store_error(error, self.path) from error
        found = os.fstat(file.fileno()).st_size
        if found != size:
            file.close()
            _report_damage(image_id, 'size', f'its file has {found} bytes, recorded are {size}')
            raise NotFound(f'The data of image {image_id} is damaged: the store has {found} of its {size} bytes.',
                           code='image_data_damaged', hint='upload the image again')
        return Blocks(image_id, file, start, length)

    def remove(self, image_id: str) -> None:
        """Delete the data of an image; nothing happens if there is none."""
        with suppress(FileNotFoundError):
            offload(os.unlink, self.final(image_id))

    def final(self, image_id: str) -> str:
        """Return the path of an image's data. The id is the daemon's own or was checked to be a UUID."""
        return os.path.join(self.path, image_id)

    def part(self, upload_id: str) -> str:
        """Return the path of the data of an upload that is not complete."""
        return os.path.join(self.path, _UPLOADS, upload_id)

    def finals(self) -> list[str]:
        """Return the ids of all images that have a file."""
        return [entry.name for entry in os.scandir(self.path) if entry.is_file(follow_symlinks=False)]

    def parts(self) -> list[str]:
        """Return the ids of all uploads that have a file."""
        return os.listdir(os.path.join(self.path, _UPLOADS))


class Upload:
    """A file that grows, with its digests. Its lock ends with ``close``."""

    def __init__(self, store: str, upload_id: str, descriptor: int) -> None:
        self.id = upload_id
        self.size = 0
        self.published = False
        self._store, self._descriptor = store, descriptor
        self._path = os.path.join(store, _UPLOADS, upload_id)
        self._md5, self._sha512 = hashlib.md5(usedforsecurity=False), hashlib.sha512()

    def write(self, chunk: bytes) -> None:
        """Append. :raises TooLarge: the disk is full. :raises Unavailable: it cannot be written."""
        try:
            offload(self._write, chunk)
        except OSError as error:
            raise _store_error(error, self._store) from error
        self.size += len(chunk)

    def publish(self, image_id: str) -> None:
        """Make the data that of an image, durably and at once. The lock is kept."""
        try:
            offload(self._publish, os.path.join(self._store, image_id))
        except OSError as error:
            raise _store_error(error, self._store) from error
        self.published = True

    def discard(self) -> None:
        """Delete what was written, also if it was published already."""
        with suppress(FileNotFoundError):
            offload(os.unlink, self._path)

    def close(self) -> None:
        """Give up the lock."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    @property
    def digests(self) -> tuple[str, str]:
        """MD5 and SHA-512 of what was written."""
        return self._md5.hexdigest(), self._sha512.hexdigest()

    def _write(self, chunk: bytes) -> None:
        self._md5.update(chunk)
        self._sha512.update(chunk)
        view = memoryview(chunk)
        while view:
            view = view[os.write(self._descriptor, view):]

    def _publish(self, final: str) -> None:
        os.fsync(self._descriptor)
        os.rename(self._path, final)
        self._path = final
        folder = os.open(self._store, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class Blocks:
    """Iterates over a part of a file in blocks; closed at the end or by ``close``, whichever comes first.

    :raises EOFError: while iterating, the file ends too early. The server then closes the connection, which tells the
        client that bytes are missing.
    """

    def __init__(self, image_id: str, file: IO[bytes], start: int, length: int) -> None:
        self._image_id, self._file, self._left = image_id, file, length
        file.seek(start)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        block = offload(self._file.read, min(BLOCK // 4, self._left)) if self._left else b''
        if not block:
            self.close()
            if self._left:
                _report_damage(self._image_id, 'size', f'its file ended {self._left} bytes too early')
                raise EOFError(f'the data of image {self._image_id} ended {self._left} bytes too early')
            raise StopIteration
        self._left -= len(block)
        return block

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def claim(path: str) -> int | None:
    """Return a locked descriptor of a file whose writer is dead; None if it lives or the file is gone."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _open_upload(store: str) -> Upload:
    while True:
        upload_id = str(uuid.uuid4())
        path = os.path.join(store, _UPLOADS, upload_id)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o640)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_nlink:
                return Upload(store, upload_id, descriptor)
        except BlockingIOError:
            pass  # a sweep found the file in the moment before it was locked, and deletes it
        except OSError:
            os.close(descriptor)
            os.unlink(path)
            raise
        os.close(descriptor)


def _report_damage(image_id: str, kind: str, what: str) -> None:
    LOG.error('the data of image %s is damaged: %s', image_id, what)
    metrics.count('compute_image_data_damaged_total', kind)


def _store_error(error: OSError, path: str) -> ComputeError:
    """Return the error of a disk. The words of the operating system are for the log."""
    LOG.error('image store %s: %s', path, error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        message = 'Image storage media is full, so the data was not stored. Upload it again when there is room.'
        return TooLarge(message, code='store_full', hint=f'make room in {path} or move [image] store_path',
                        for_users='Image storage media is full, so the data was not stored. Upload it again when an '
                        'administrator has made room.')
    return Unavailable('The image store cannot be used; the log of the image service says why.',
                       code='store_unavailable', hint=f'see whether {path} is mounted and writable')
