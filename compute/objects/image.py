"""An image as Compute sees it: what Glance v2 says, reduced to what a boot needs."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Image:
    """Sizes: ``min_disk`` GiB, ``min_ram`` MiB, ``size`` and ``virtual_size`` bytes (None while unknown).

    ``properties`` are the image's extra properties (``hw_disk_bus``, ``architecture`` ...), all strings.
    """

    id: str
    name: str = ''
    status: str = 'active'
    disk_format: str | None = None
    container_format: str | None = None
    size: int | None = None
    virtual_size: int | None = None
    min_disk: int = 0
    min_ram: int = 0
    checksum: str | None = None
    os_hash_algo: str | None = None
    os_hash_value: str | None = None
    owner: str | None = None
    properties: dict[str, str] = field(default_factory=dict)
