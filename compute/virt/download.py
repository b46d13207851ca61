"""Take in the data of an image and believe none of what is said about it.

Every driver's image cache uses this: the data passes through once in bounded memory, its length and digest are
compared with what the image service promised, and the first bytes must agree with the declared format. What only a
full inspection shows (``qemu-img info``) is left to the drivers that have the tool.
"""

from __future__ import annotations

import contextlib
import hashlib
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

from compute import exception
from compute.objects.image import Image
from compute.objects.instance import Instance
from compute.virt.driver import ImageStream

GIB = 1024 ** 3
FORMATS = ('raw', 'qcow2')
QCOW2_MAGIC = b'QFI\xfb'
_HEADER, _POLL = 512, 0.2
_VERSION_3, _EXTERNAL_DATA = b'\0\0\0\3', 1 << 2


@contextlib.contextmanager
def in_turn(turn: threading.Lock, image: Image, cancelled: threading.Event | None) -> Iterator[None]:
    """Hold the lock under which an image is fetched. :raises Stale: ``cancelled`` was set while another held it."""
    while not turn.acquire(timeout=_POLL):
        _go_on(image, cancelled)
    try:
        yield
    finally:
        turn.release()


def fetch(image: Image, open_stream: ImageStream, write: Callable[[bytes], Any],
          cancelled: threading.Event | None = None) -> int:
    """Pass all data of ``image`` to ``write`` and return how many bytes it was.

    The caller must discard what was written when this raises. :raises Failed: the data is not what was promised
    (``image_corrupt``) or not of the declared format (``image_format``). :raises Stale: ``cancelled`` was set.
    """
    digest = _Digest(image)
    header, length = b'', 0
    for chunk in open_stream():
        _go_on(image, cancelled)
        if len(header) < _HEADER:
            header += chunk[:_HEADER]
        length += len(chunk)
        digest.update(chunk)
        write(chunk)
    if image.size is not None and length != image.size:
        raise corrupt(image, f'{length} bytes came where {image.size} were announced')
    digest.verify()
    check_header(image, header)
    return length


def _go_on(image: Image, cancelled: threading.Event | None) -> None:
    if cancelled is not None and cancelled.is_set():
        raise exception.Stale(f'the fetch of image {image.id} was cancelled')


class _Digest:
    """The digest of what passes by; the strongest one that the image service gave, or none."""

    def __init__(self, image: Image) -> None:
        self._image = image
        self._name, self._wanted = _choose_hash(image)
        self._hash = hashlib.new(self._name, usedforsecurity=False) if self._wanted else None

    def update(self, chunk: bytes) -> None:
        if self._hash is not None:
            self._hash.update(chunk)

    def verify(self) -> None:
        if self._hash is not None and self._hash.hexdigest() != self._wanted:
            raise corrupt(self._image, f'its {self._name} is {self._hash.hexdigest()}, announced was {self._wanted}')


def _choose_hash(image: Image) -> tuple[str, str]:
    if image.os_hash_value and image.os_hash_algo and image.os_hash_algo in hashlib.algorithms_available:
        return image.os_hash_algo, image.os_hash_value.lower()
    return 'md5', (image.checksum or '').lower()


def check_header(image: Image, header: bytes) -> None:
    """Compare the first bytes with the declared format.

    :raises Failed: ``image_format``: a format that cannot be booted, a lie, or a qcow2 that refers to other files.
    """
    if image.disk_format not in FORMATS:
        raise bad_format(image, f'disk format {image.disk_format!r} cannot be booted; usable are {", ".join(FORMATS)}')
    if header.startswith(QCOW2_MAGIC) != (image.disk_format == 'qcow2'):
        found = 'qcow2' if header.startswith(QCOW2_MAGIC) else 'not qcow2'
        raise bad_format(image, f'it is declared {image.disk_format} but its data is {found}')
    if image.disk_format == 'qcow2':
        if len(header) < 32:
            raise corrupt(image, 'its qcow2 header is cut off')
        if struct.unpack('>Q', header[8:16])[0]:
            raise bad_format(image, 'it has a backing file')
        # qemu-img follows this reference even to inspect the image, so it must not get that far.
        if header[4:8] == _VERSION_3 and len(header) >= 80 and header[79] & _EXTERNAL_DATA:
            raise bad_format(image, 'it keeps its data in an external data file')


def check_fits(instance: Instance, virtual_size: int) -> None:
    """:raises Failed: ``image_too_large``: the image's disk is larger than the flavor's (0 GiB: any size will do)."""
    limit = instance.flavor.root_gb
    if limit and virtual_size > limit * GIB:
        name = instance.image.id if instance.image else '-'
        raise exception.Failed(
            f'image {name} needs a disk of {virtual_size} bytes ({virtual_size / GIB:.1f} GiB), '
            f'flavor {instance.flavor.name} has {limit} GiB', code='image_too_large', hint='choose a larger flavor')


def corrupt(image: Image, why: str) -> exception.Failed:
    """Return the error for data that is not what the image service promised."""
    return exception.Failed(f'image {image.id} is corrupt: {why}', code='image_corrupt',
                            hint='upload the image again')


def bad_format(image: Image, why: str) -> exception.Failed:
    """Return the error for data that is not of the format it should be, or of one that is not safe to use."""
    return exception.Failed(f'image {image.id} is refused: {why}', code='image_format',
                            hint='convert the image to a plain raw or qcow2 file and upload that')
