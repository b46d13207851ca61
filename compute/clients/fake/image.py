"""An Image service in memory."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
import uuid
from collections.abc import Iterator

from compute import exception
from compute.clients.image import CHUNK
from compute.context import RequestContext
from compute.objects.image import Image


class FakeImages:
    """``add`` is what a user does; ``refuse`` makes every call raise until it is given None again."""

    def __init__(self) -> None:
        self._images: dict[str, tuple[Image, bytes | None, bool]] = {}
        self._lock = threading.Lock()
        self._error: exception.ComputeError | None = None

    def add(self, image: Image | None = None, data: bytes | None = b'', *, public: bool = True) -> Image:
        """Store an image; with data its size and digests are filled in. Private ones are seen by their owner only."""
        image = image or Image(id=str(uuid.uuid4()), name='fake', disk_format='raw', container_format='bare')
        if data is not None:
            image = dataclasses.replace(
                image, size=len(data), virtual_size=image.virtual_size or len(data),
                checksum=hashlib.md5(data, usedforsecurity=False).hexdigest(), os_hash_algo='sha512',
                os_hash_value=hashlib.sha512(data).hexdigest())
        else:
            image = dataclasses.replace(image, status='queued')
        with self._lock:
            self._images[image.id] = (image, data, public)
        return image

    def remove(self, image_id: str) -> None:
        """Delete an image."""
        with self._lock:
            self._images.pop(image_id, None)

    def refuse(self, error: exception.ComputeError | None) -> None:
        """Let every call raise this, or none."""
        self._error = error

    def get(self, context: RequestContext | None, image_id: str) -> Image:
        """Return an image."""
        return self._find(context, image_id)[0]

    def download(self, context: RequestContext | None, image_id: str) -> Iterator[bytes]:
        """Yield its data."""
        image, data = self._find(context, image_id)
        if data is None:
            raise exception.Conflict(f'Image {image_id} has no data', code='image_not_active')
        if image.status == 'deactivated' and not (context is None or context.is_admin):
            raise exception.Forbidden(f'Image {image_id} is deactivated', code='image_deactivated')
        for start in range(0, len(data), CHUNK):
            yield data[start:start + CHUNK]

    def _find(self, context: RequestContext | None, image_id: str) -> tuple[Image, bytes | None]:
        if self._error is not None:
            raise self._error
        with self._lock:
            found = self._images.get(image_id)
        if found is not None:
            image, data, public = found
            if public or context is None or context.is_admin or context.project_id == image.owner:
                return image, data
        raise exception.NotFound(f'Image {image_id} could not be found.', code='image_not_found')
