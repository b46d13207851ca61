"""The image cache of a fake host: fetches and verifies like a real one, but keeps only the names."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from oslo_config import cfg

from compute.objects.image import ImageData
from compute.objects.instance import Instance
from compute.virt import download
from compute.virt.driver import ImageStream
from compute.virt.fake.store import Store
from compute.virt.turns import Turns


class ImageCache:
    """Which images this host has, and when each was last used."""

    def __init__(self, conf: cfg.ConfigOpts, store: Store) -> None:
        self._download = conf.fake.download_images
        self._store = store
        self._lock = threading.Lock()
        self._turns = Turns()

    def prepare(self, instance: Instance, open_stream: ImageStream, cancelled: threading.Event | None = None) -> None:
        """See ``driver.Images.prepare``."""
        for image, formats in download.wanted(instance):
            self._prepare_one(instance, image, formats, open_stream, cancelled)

    def _prepare_one(self, instance: Instance, image: ImageData, formats: tuple[str, ...], open_stream: ImageStream,
                     cancelled: threading.Event | None) -> None:
        with self._turns.of(image.id) as turn, download.in_turn(turn, image, cancelled):
            size = 0
            if image.id not in self._store.images and self._download:
                size = download.fetch(image, open_stream(image.id), len, cancelled, formats)
            if image is instance.image:
                download.check_fits(instance, size)
            with self._lock:
                self._store.use_image(image.id)

    def expire(self, older_than: float, in_use: Callable[[], set[str]]) -> list[str]:
        """Forget what no guest uses and nobody asked for lately."""
        limit = time.time() - older_than
        with self._lock:
            used = in_use()
            names = [name for name, at in self._store.images.items() if at <= limit and name not in used]
            for name in names:
                self._store.drop_image(name)
        return sorted(names)
