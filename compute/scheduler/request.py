"""A request spec made ready for thousands of checks: worked out once, read by every filter."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping

from compute.objects.request_spec import RequestSpec, ServerGroup


class Request:
    """One server to place, at one moment (``now``, seconds since the epoch).

    ``lost`` are ids of hosts whose claim failed while this request was being served.
    """

    __slots__ = ('availability_zone', 'different_hosts', 'disk_gb', 'excluded', 'group', 'host', 'image', 'lost',
                 'members', 'memory_mb', 'node', 'now', 'same_hosts', 'seats', 'spec', 'vcpus')

    def __init__(self, spec: RequestSpec, now: float | None = None) -> None:
        self.spec = spec
        self.now = time.time() if now is None else now
        self.vcpus, self.memory_mb, self.disk_gb = spec.vcpus, spec.memory_mb, spec.disk_gb
        self.availability_zone, self.host, self.node = spec.availability_zone, spec.host, spec.node
        self.excluded = frozenset(spec.excluded)
        self.same_hosts = None if spec.same_hosts is None else frozenset(spec.same_hosts)
        self.different_hosts = frozenset(spec.different_hosts or ())
        self.image: Mapping[str, str] = spec.image.properties if spec.image is not None else {}
        self.lost: set[int] = set()
        self.seats = 1
        self.members: Counter[str] = Counter()
        self.group: ServerGroup | None = None
        self.join(spec.group)

    def join(self, group: ServerGroup | None) -> None:
        """Note where the members of the server group are now."""
        self.group = group
        self.members = Counter(group.member_hosts if group is not None else ())
        self.seats = int(group.rules.get('max_server_per_host', 1)) if group is not None else 1

    def has_policy(self, policy: str) -> bool:
        """Tell whether the server is in a group of this policy."""
        return self.group is not None and self.group.policy == policy
