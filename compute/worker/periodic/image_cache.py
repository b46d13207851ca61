"""Removes base images that nobody has used for long."""

from __future__ import annotations

import logging
from typing import Any

from compute.virt.driver import Driver

LOG = logging.getLogger(__name__)


class ImageCacheTask:
    """One look at the cache."""

    def __init__(self, conf: Any, driver: Driver) -> None:
        self._age, self._driver = conf.worker.image_cache_age, driver

    def run(self) -> None:
        """Remove what is due."""
        for name in self._driver.expire_images(self._age):
            LOG.info('cached image %s was removed: unused for %.0f s', name, self._age)
