"""An image as Compute sees it: what Glance v2 says, reduced to what a boot needs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class ImageData:
    """The values needed to fetch and check the data of an image. ``size`` is bytes, None while unknown."""

    id: str
    disk_format: str | None = None
    container_format: str | None = None
    size: int | None = None
    checksum: str | None = None
    os_hash_algo: str | None = None
    os_hash_value: str | None = None


@dataclass(frozen=True, kw_only=True)
class Image(ImageData):
    """Sizes: ``min_disk`` GiB, ``min_ram`` MiB, ``size`` and ``virtual_size`` bytes (None while unknown).

    ``properties`` are the image's extra properties (``hw_disk_bus``, ``architecture`` ...), all strings. A server whose
    image names a kernel boots it directly: ``kernel`` and ``ramdisk`` are the data of those images.
    """

    name: str = ''
    status: str = 'active'
    virtual_size: int | None = None
    min_disk: int = 0
    min_ram: int = 0
    owner: str | None = None
    properties: dict[str, str] = field(default_factory=dict)
    kernel: ImageData | None = None
    ramdisk: ImageData | None = None

    @property
    def parts(self) -> tuple[ImageData, ...]:
        """Return kernel and RAM disk, as far as there are such."""
        return tuple(part for part in (self.kernel, self.ramdisk) if part is not None)

    def data(self) -> ImageData:
        """Return what another image keeps of this one."""
        return ImageData(**{each.name: getattr(self, each.name) for each in dataclasses.fields(ImageData)})
