"""An instance: a server as the inside of the controller sees it."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import NamedTuple

from compute.objects.error_codes import meaning
from compute.objects.flavor import Flavor
from compute.objects.image import Image
from compute.objects.nic import Nic


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Why the last operation failed. ``code`` is the HTTP-like number clients show, ``reason`` the stable code.

    Users see ``reason`` and ``shown``; the rest is for operators, as in ``OperationError``.
    """

    code: int = 500
    reason: str = 'internal'
    message: str = ''
    for_users: str | None = None
    details: str = ''
    stage: str = ''
    hint: str | None = None
    retryable: bool = False
    created_at: datetime.datetime | None = None

    @property
    def shown(self) -> str:
        """The sentence for users."""
        return self.for_users or meaning(self.reason)


def named_by(hints: dict[str, object], hint: str) -> tuple[str, ...] | None:
    """Return the servers that a scheduler hint names, one or a list; None where there is no such hint."""
    value = hints.get(hint)
    if value is None:
        return None
    return (value,) if isinstance(value, str) else tuple(map(str, value)) if isinstance(value, list | tuple) else ()


class Brief(NamedTuple):
    """What a short list shows of a server."""

    uuid: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One server. States are the words of ``compute.states``; ``power_state`` its integers. Times are UTC.

    ``file_paths``: of the files that the user put into it; their contents are kept apart.
    """

    id: int = 0
    uuid: str
    project_id: str
    user_id: str
    name: str
    description: str | None = None
    hostname: str = ''
    vm_state: str = 'building'
    task_state: str | None = None
    power_state: int = 0
    progress: int = 0
    host: str | None = None
    node: str | None = None
    launched_on: str | None = None
    availability_zone: str | None = None
    pinned_availability_zone: str | None = None
    flavor: Flavor
    image: Image | None = None
    key_name: str | None = None
    key_data: str | None = None
    key_type: str = 'ssh'
    user_data: str | None = None
    config_drive: bool = False
    metadata: dict[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    nics: tuple[Nic, ...] = ()
    security_groups: tuple[str, ...] = ()
    scheduler_hints: dict[str, object] = field(default_factory=dict)
    server_group: str | None = None
    trusted_image_certificates: tuple[str, ...] | None = None
    access_ip_v4: str | None = None
    access_ip_v6: str | None = None
    disk_config: str = 'MANUAL'
    root_device_name: str | None = '/dev/vda'
    file_paths: tuple[str, ...] = ()
    reservation_id: str = ''
    launch_index: int = 0
    locked: bool = False
    locked_by: str | None = None
    locked_reason: str | None = None
    fault: Fault | None = None
    created_at: datetime.datetime | None = None
    updated_at: datetime.datetime | None = None
    launched_at: datetime.datetime | None = None
    terminated_at: datetime.datetime | None = None
    deleted: bool = False

    def named_by(self, hint: str) -> tuple[str, ...] | None:
        """Return the servers that a scheduler hint names, one or a list; None where there is no such hint."""
        return named_by(self.scheduler_hints, hint)

    @property
    def guest_name(self) -> str:
        """The name of the hypervisor's guest, unique on its host."""
        return f'instance-{self.id:08x}'
