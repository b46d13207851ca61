"""Servers: what is asked, what is shown, and one file for each thing that is done to them."""

from __future__ import annotations

from compute.api.servers import events, metadata, ops
from compute.rest.op import Resource

RESOURCES: tuple[Resource, ...] = (ops.RESOURCE, metadata.RESOURCE, events.RESOURCE)
