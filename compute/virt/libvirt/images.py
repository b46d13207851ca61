"""The cache of base images: one file for each image in ``_base``, in the image's own format, never written again.

The name of a file says its content too: where an image was deleted and another project makes one with the same id, that
one does not get the data of the first.
An image is fetched into a file beside its place and renamed when it has passed every check, so what has a name in the
cache is whole. Requests for the same image wait for one fetch. The time of the empty file ``NAME.used`` beside it, or
else its own, says when it was last wanted: libvirt gives the image to QEMU's user, so its time is not ours to set.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import pathlib
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from oslo_config import cfg

from compute import concurrency, exception
from compute.disk_format import QCOW2, opened_as
from compute.objects.image import ImageData
from compute.objects.instance import Instance
from compute.virt import download
from compute.virt.driver import ImageStream
from compute.virt.laps import Laps
from compute.virt.libvirt import qemu_img
from compute.virt.libvirt.paths import Paths
from compute.virt.libvirt.qcow2 import backing_file
from compute.virt.turns import Turns

LOG = logging.getLogger(__name__)
_NAME = re.compile(r'[0-9a-zA-Z][0-9a-zA-Z_-]{0,63}')
_USED = '.used'
_BLOCK = 1024 * 1024


class _Known(NamedTuple):
    """A file that was read as a whole and found right: how to tell that it is the same still, and its disk's size."""

    mark: tuple[int, ...]
    size: int


@dataclass(frozen=True)
class _Fetch:
    """One image that a guest is made from, and where it comes from."""

    image: ImageData
    formats: tuple[str, ...]
    open_stream: ImageStream
    cancelled: threading.Event | None

    def run(self, chunks: Iterator[bytes], write: Callable[[bytes], Any]) -> int:
        """See ``download.fetch``."""
        return download.fetch(self.image, chunks, write, self.cancelled, self.formats)


class ImageCache:
    """The images of this host."""

    def __init__(self, conf: cfg.ConfigOpts, paths: Paths, host: str) -> None:
        self._conf, self._paths, self._host = conf.libvirt, paths, re.sub(r'[^\w.-]', '_', host)
        self._turns = Turns()
        self._known: dict[str, _Known] = {}

    def clean(self) -> None:
        """Remove what a fetch of this host left when it was cut off, and the stamps of images that somebody removed."""
        for path in self._paths.base.glob(f'*.{self._host}.part'):
            path.unlink(missing_ok=True)
        for stamp in self._paths.base.glob(f'*{_USED}'):
            if not stamp.with_suffix('').exists():
                stamp.unlink(missing_ok=True)

    def path(self, image: ImageData) -> pathlib.Path:
        """Return where an image is, or would be."""
        if not _NAME.fullmatch(image.id):
            raise exception.Failed(f'image id {image.id!r} cannot be a file name', code='image_format')
        content = f'{image.disk_format} {image.size} {image.os_hash_value or image.checksum}'
        return self._paths.base / f'{image.id}.{hashlib.sha256(content.encode()).hexdigest()[:16]}'

    def prepare(self, instance: Instance, open_stream: ImageStream, cancelled: threading.Event | None = None) -> None:
        """See ``driver.Images.prepare``."""
        for image, formats in download.wanted(instance):
            path, fetch = self.path(image), _Fetch(image, formats, open_stream, cancelled)
            with self._turns.of(image.id) as turn, download.in_turn(turn, image, cancelled):
                size = self._size_of_cached(fetch, path)
                if size is None:
                    laps = Laps()
                    with laps.lap('fetch'):
                        size = self._fetch(fetch, path)
                    LOG.info('guest %s took %s', instance.uuid, laps)
                touch(path)
            if image is instance.image:
                download.check_fits(instance, size)

    @contextlib.contextmanager
    def using(self, image: ImageData) -> Iterator[pathlib.Path]:
        """Give the path of a cached image, which expiry will not take as long as the block lasts.

        What is made in the block and is based on it protects it from then on. :raises Retry: it is not in the cache.
        """
        path = self.path(image)
        with self._turns.of(image.id) as turn, turn:
            if not path.exists():
                raise exception.Retry(f'image {image.id} is not in the cache of {self._host}', code='image_missing')
            touch(path)
            yield path

    def files_of(self, instance: Instance) -> dict[str, pathlib.Path]:
        """See ``driver.Images.cached_images``."""
        found = {image.id: self.path(image) for image, _ in download.wanted(instance)}
        return {image_id: path for image_id, path in found.items() if path.exists()}

    @contextlib.contextmanager
    def held(self, image: ImageData | None) -> Iterator[None]:
        """Keep expiry from looking at who uses an image as long as the block lasts: a disk based on it is renamed."""
        if image is None:
            yield
            return
        with self._turns.of(image.id) as turn, turn:
            yield

    # -- fetching --

    def _fetch(self, fetch: _Fetch, path: pathlib.Path) -> int:
        """Put an image into the cache and return the size of its disk."""
        image = fetch.image
        self._check_room(image)
        # A name of its own: a process that was replaced may still be at the same image.
        part = path.with_name(f'{path.name}.{uuid.uuid4().hex[:8]}.{self._host}.part')
        try:
            with part.open('wb') as file:
                size = fetch.run(fetch.open_stream(image.id), lambda chunk: concurrency.offload(file.write, chunk))
                file.flush()
                concurrency.offload(os.fsync, file.fileno())
            part.chmod(0o644)
            size = self._inspect(image, part, size)
            os.replace(part, path)
            self._known[path.name] = _Known(_mark(path), size)
        except OSError as error:
            raise qemu_img.from_os_error(error) from error
        finally:
            part.unlink(missing_ok=True)
        return size

    def _check_room(self, image: ImageData) -> None:
        space = os.statvfs(self._paths.base)
        free = space.f_bavail * space.f_frsize
        if image.size is not None and image.size > free:
            raise qemu_img.disk_full(f'image {image.id} has {image.size} bytes, {free} are free')

    # -- inspection --

    def _size_of_cached(self, fetch: _Fetch, path: pathlib.Path) -> int | None:
        """Return the size of the disk of an image in the cache; None if it is not there or damaged.

        The whole file is read if it was not since this worker began, or was changed since. A damaged one stays until
        the fetched one takes its place: disks of guests are based on it, and the fetch may fail.
        """
        try:
            mark = _mark(path)
            known = self._known.get(path.name)
            if known is not None and known.mark == mark:
                return known.size
            size = self._inspect(fetch.image, path, fetch.run(_blocks(path), len))
        except FileNotFoundError:
            return None
        except (exception.Failed, OSError) as error:
            LOG.warning('image %s is damaged in the cache (%s) and is fetched again', path.name, error)
            self._known.pop(path.name, None)
            return None
        self._known[path.name] = _Known(mark, size)
        return size

    def _inspect(self, image: ImageData, path: pathlib.Path, size: int) -> int:
        """Inspect the image with qemu-img too and return the size of the disk."""
        if opened_as(image.disk_format) != QCOW2:
            return size
        try:
            found = qemu_img.inspect(str(path), QCOW2, self._conf.image_inspection_memory_mb,
                                     self._conf.image_inspection_seconds)
        except ValueError as error:
            raise download.corrupt(image, 'its format cannot be read', str(error)) from error
        if found.foreign:
            raise download.bad_format(image, 'it refers to other files', ', '.join(found.foreign))
        return found.virtual_size

    # -- expiry --

    def expire(self, older_than: float) -> list[str]:
        """Remove what no guest's disk is based on and nobody wanted for ``older_than`` seconds."""
        limit, gone = time.time() - older_than, []
        for path in self._paths.base.iterdir():
            if path.suffix in ('.part', _USED) or last_wanted(path) > limit:
                continue
            image_id = path.name.partition('.')[0]
            with self._turns.of(image_id) as turn, turn:
                # Looked at again inside the turn: a guest may have been made in the meantime.
                if last_wanted(path) <= limit and str(path) not in self._in_use():
                    stamp_of(path).unlink(missing_ok=True)
                    path.unlink()
                    self._known.pop(path.name, None)
                    gone.append(image_id)
        return sorted(gone)

    def _in_use(self) -> set[str]:
        return {base for disk in self._paths.disks() if (base := backing_file(disk)) is not None}


def _mark(path: pathlib.Path) -> tuple[int, ...]:
    """Return what changes when somebody writes to a file or replaces it. Who owns it, which libvirt changes, is not in
    it."""
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _blocks(path: pathlib.Path) -> Iterator[bytes]:
    with path.open('rb') as file:
        while block := concurrency.offload(file.read, _BLOCK):
            yield block


def stamp_of(path: pathlib.Path) -> pathlib.Path:
    """Return the file whose time says when a cached image was last wanted."""
    return path.with_name(path.name + _USED)


def touch(path: pathlib.Path) -> None:
    """Note that a cached image was wanted now. Where that fails it is used nevertheless."""
    stamp = stamp_of(path)
    try:
        stamp.unlink(missing_ok=True)  # it may be of a user that the worker ran as before
        stamp.touch()
    except OSError as error:
        LOG.warning('image %s may expire although it is used: %s', path.name, error)


def last_wanted(path: pathlib.Path) -> float:
    """Return when a cached image was last wanted; one without a stamp was when it was made."""
    times = [path.stat().st_mtime]
    with contextlib.suppress(FileNotFoundError):
        times.append(stamp_of(path).stat().st_mtime)
    return max(times)
