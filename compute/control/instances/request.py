"""What a user asks for when servers are created: one value, made by the API, checked and completed by ``create``."""

from __future__ import annotations

from dataclasses import dataclass, field

from compute.objects.injected_file import InjectedFile
from compute.objects.nic import NicRequest

AUTO, NONE = 'auto', 'none'


@dataclass(frozen=True, kw_only=True)
class CreateRequest:
    """``networks`` is a tuple of requests, ``auto``, ``none``, or None (as before 2.37: the only network there is).

    ``host`` and ``node`` name a destination; ``force_host`` is the ``zone:host:node`` form of the zone, which skips
    nothing but the choice. ``may_...`` say what policy allows this caller.
    """

    name: str
    image_id: str | None
    flavor_id: str
    networks: tuple[NicRequest, ...] | str | None = None
    key_name: str | None = None
    user_data: str | None = None
    files: tuple[InjectedFile, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    description: str | None = None
    hostname: str | None = None
    security_groups: tuple[str, ...] = ()
    availability_zone: str | None = None
    host: str | None = None
    node: str | None = None
    config_drive: bool = False
    min_count: int = 1
    max_count: int = 1
    hints: dict[str, object] = field(default_factory=dict)
    admin_pass: str = field(repr=False)
    disk_config: str = 'AUTO'
    access_ip_v4: str | None = None
    access_ip_v6: str | None = None
    trusted_image_certificates: tuple[str, ...] | None = None
    return_reservation_id: bool = False
    may_use_external_networks: bool = False
    may_choose_addresses_of_others: bool = False
    may_use_no_disk: bool = False


@dataclass(frozen=True, kw_only=True)
class Created:
    """The servers that a request made, oldest first, and the reservation that ties them together."""

    uuids: tuple[str, ...]
    reservation_id: str
    security_groups: tuple[str, ...]
