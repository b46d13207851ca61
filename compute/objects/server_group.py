"""A server group as its owner sees it. What the scheduler is told of one is in ``request_spec``."""

from __future__ import annotations

from dataclasses import dataclass, field

AFFINITY, ANTI_AFFINITY = 'affinity', 'anti-affinity'
SOFT_AFFINITY, SOFT_ANTI_AFFINITY = 'soft-affinity', 'soft-anti-affinity'


@dataclass(frozen=True, kw_only=True)
class ServerGroupRecord:
    """``rules`` may hold ``max_server_per_host`` with anti-affinity. ``members`` are uuids of servers that exist."""

    uuid: str
    project_id: str
    user_id: str
    name: str
    policy: str
    rules: dict[str, int] = field(default_factory=dict)
    members: tuple[str, ...] = ()
