"""A flavor: the size a server is given. An instance carries a copy, so later changes do not touch it."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Flavor:
    """``id`` is the row's; ``flavorid`` is what the API calls id. Memory in MiB, disks in GiB, swap in MiB."""

    id: int = 0
    flavorid: str
    name: str
    vcpus: int
    memory_mb: int
    root_gb: int = 0
    ephemeral_gb: int = 0
    swap_mb: int = 0
    rxtx_factor: float = 1.0
    is_public: bool = True
    disabled: bool = False
    description: str | None = None
    extra_specs: dict[str, str] = field(default_factory=dict)
    projects: tuple[str, ...] = ()
    created_at: datetime.datetime | None = None
    updated_at: datetime.datetime | None = None

    @property
    def disk_gb(self) -> int:
        """All local disk a server of this flavor may use, swap rounded up."""
        return self.root_gb + self.ephemeral_gb + -(-self.swap_mb // 1024)
