"""A migration: one move of a server between hosts, or between sizes on one host, as administrators and users see it."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from compute.objects.flavor import Flavor

# Types.
MIGRATION, RESIZE, LIVE_MIGRATION, EVACUATION = 'migration', 'resize', 'live-migration', 'evacuation'
# Statuses of a move that is under way, and of one that ended.
PRE_MIGRATING, MIGRATING, POST_MIGRATING, FINISHED = 'pre-migrating', 'migrating', 'post-migrating', 'finished'
CONFIRMING, CONFIRMED, REVERTING, REVERTED, ERROR = 'confirming', 'confirmed', 'reverting', 'reverted', 'error'

LIVE_IN_PROGRESS = ('queued', 'preparing', 'running', POST_MIGRATING)
"""Statuses of a live migration that is in progress."""


@dataclass(frozen=True, kw_only=True)
class Migration:
    """One row. ``old_vm_state`` is the vm_state to which the server returns. Times are UTC, bytes are bytes.

    ``operation_id``: the open operation that changes it, or the last one that did.
    """

    id: int = 0
    uuid: str
    instance_uuid: str
    project_id: str
    user_id: str
    operation_id: int
    type: str
    status: str
    source_host: str
    source_node: str
    dest_host: str | None = None
    dest_node: str | None = None
    dest_ip: str | None = None
    old_flavor: Flavor
    new_flavor: Flavor
    old_vm_state: str
    bytes_total: int = 0
    bytes_done: int = 0
    created_at: datetime.datetime | None = None
    updated_at: datetime.datetime | None = None
