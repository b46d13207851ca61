"""The whole Network API on one screen. Routers and floating IPs will be two more lines."""

from __future__ import annotations

from compute.builtin.network.api import (
    agents,
    auto,
    availabilities,
    discovery,
    networks,
    ports,
    quotas,
    security_groups,
    subnets,
    tags,
)

ROOT = (discovery.ROOT,)
RESOURCES = (
    discovery.RESOURCE,
    networks.RESOURCE,
    subnets.RESOURCE,
    ports.RESOURCE,
    security_groups.RESOURCE,
    tags.RESOURCE,
    agents.RESOURCE,
    quotas.RESOURCE,
    auto.RESOURCE,
    availabilities.RESOURCE,
)
