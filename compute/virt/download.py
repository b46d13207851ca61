"""Take in the data of an image and believe none of what is said about it.

Every driver's image cache uses this: the data passes through once in bounded memory, its length and digest are
compared with what the image service promised, and it must be of the declared format and refer to nothing else
(``disk_format.py``). What ``qemu-img info`` shows besides is left to the drivers that have the tool.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from compute import exception
from compute.disk_format import BOOTABLE, CONTAINERS, KERNEL_PARTS, DataRefused, FormatInspection
from compute.objects.image import ImageData
from compute.objects.instance import Instance

GIB = 1024 ** 3
_POLL = 0.2


@contextlib.contextmanager
def in_turn(turn: threading.Lock, image: ImageData, cancelled: threading.Event | None) -> Iterator[None]:
    """Hold the lock under which an image is fetched. :raises Stale: ``cancelled`` was set while another held it."""
    while not turn.acquire(timeout=_POLL):
        _go_on(image, cancelled)
    try:
        yield
    finally:
        turn.release()


def wanted(instance: Instance) -> Iterator[tuple[ImageData, tuple[str, ...]]]:
    """Yield the images that a guest is made from, each with the disk formats that it may have: the disk comes first."""
    if instance.image is not None:
        yield instance.image, BOOTABLE
        for part in instance.image.parts:
            yield part, KERNEL_PARTS


def fetch(image: ImageData, chunks: Iterable[bytes], write: Callable[[bytes], Any],
          cancelled: threading.Event | None = None, formats: tuple[str, ...] = BOOTABLE) -> int:
    """Pass the data of ``image`` to ``write`` and return how many bytes the disk has. Nothing is read if it is refused
    for its declared format.

    The caller must discard what was written when this raises. :raises Failed: the data is not what was promised
    (``image_corrupt``) or not of the declared format (``image_format``). :raises Stale: ``cancelled`` was set.
    """
    _check_declared(image, formats)
    digest, inspection = _Digest(image), FormatInspection(image.disk_format or '', image.container_format or 'bare')
    length = 0
    for chunk in chunks:
        _go_on(image, cancelled)
        length += len(chunk)
        digest.update(chunk)
        inspection.feed(chunk)
        write(chunk)
    if image.size is not None and length != image.size:
        raise corrupt(image, f'{length} bytes came where {image.size} were announced')
    digest.verify()
    try:
        return inspection.finish() or length
    except DataRefused as error:
        raise bad_format(image, str(error)) from error


def _check_declared(image: ImageData, formats: tuple[str, ...]) -> None:
    if image.disk_format not in formats:
        raise bad_format(image, f'disk format {image.disk_format!r} cannot be booted; usable are {", ".join(formats)}')
    if image.container_format not in (None, *CONTAINERS):
        raise bad_format(image, f'container format {image.container_format!r} cannot be booted; usable are '
                                f'{", ".join(CONTAINERS)}')


def _go_on(image: ImageData, cancelled: threading.Event | None) -> None:
    if cancelled is not None and cancelled.is_set():
        raise exception.Stale(f'the fetch of image {image.id} was cancelled')


class _Digest:
    """The digest of what passes by; the strongest one that the image service gave, or none."""

    def __init__(self, image: ImageData) -> None:
        self._image = image
        self._name, self._wanted = _choose_hash(image)
        self._hash = hashlib.new(self._name, usedforsecurity=False) if self._wanted else None

    def update(self, chunk: bytes) -> None:
        if self._hash is not None:
            self._hash.update(chunk)

    def verify(self) -> None:
        if self._hash is not None and self._hash.hexdigest() != self._wanted:
            raise corrupt(self._image, f'its {self._name} is {self._hash.hexdigest()}, announced was {self._wanted}')


def _choose_hash(image: ImageData) -> tuple[str, str]:
    if image.os_hash_value and image.os_hash_algo and image.os_hash_algo in hashlib.algorithms_available:
        return image.os_hash_algo, image.os_hash_value.lower()
    return 'md5', (image.checksum or '').lower()


def check_fits(instance: Instance, size: int) -> None:
    """Compare the disk of the image, as found or as announced, with the flavor's (0 GiB: any size will do).

    :raises Failed: ``image_too_large``: it is larger.
    """
    limit, image = instance.flavor.root_gb, instance.image
    virtual_size = max(size, (image.virtual_size if image else 0) or 0)
    if limit and virtual_size > limit * GIB:
        name = image.id if image else '-'
        text = (f'image {name} needs a disk of {virtual_size} bytes ({virtual_size / GIB:.1f} GiB), '
                f'flavor {instance.flavor.name} has {limit} GiB')
        raise exception.Failed(text, code='image_too_large', hint='choose a larger flavor', for_users=text)


def corrupt(image: ImageData, why: str, found: str = '') -> exception.Failed:
    """Return the error for data that differs from the record of the image service. ``found`` is for operators only."""
    text = f'image {image.id} is corrupt: {why}'
    return exception.Failed(_with(text, found), code='image_corrupt', hint='upload the image again', for_users=text)


def bad_format(image: ImageData, why: str, found: str = '') -> exception.Failed:
    """Return the error for data that is not of the format it should be, or of one that is not safe to use.

    ``found`` is for operators only.
    """
    text = f'image {image.id} is refused: {why}'
    return exception.Failed(_with(text, found), code='image_format', for_users=text,
                            hint='convert the image to a plain raw or qcow2 file and upload that')


def _with(text: str, found: str) -> str:
    return f'{text} ({found})' if found else text
