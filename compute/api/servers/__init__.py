"""Servers: what is asked, what is shown, and one file for each thing that is done to them."""

from __future__ import annotations

from compute.api.servers import (
    events,
    interfaces,
    ips,
    metadata,
    ops,
    security_groups,
    tags,
    volume_attachments,
    volumes_boot,
)
from compute.rest.op import Resource

RESOURCES: tuple[Resource, ...] = (
    ops.RESOURCE, metadata.RESOURCE, tags.RESOURCE, ips.RESOURCE, security_groups.RESOURCE, interfaces.RESOURCE,
    volume_attachments.RESOURCE, volumes_boot.RESOURCE, events.RESOURCE)
