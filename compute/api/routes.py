"""The whole Compute API on one screen: every resource is one file of this room, or one of ``servers/``.

Order does not matter: a literal part of a URL wins over a variable one.
"""

from __future__ import annotations

import dataclasses

from compute.api import (
    aggregates,
    audit,
    availability_zones,
    extensions,
    flavor_access,
    flavor_extra_specs,
    flavors,
    hypervisors,
    instance_actions,
    keypairs,
    limits,
    migrations,
    operations,
    planned,
    quota_class_sets,
    quota_sets,
    removed,
    server_groups,
    service_health,
    services,
    versions,
)
from compute.api.servers import RESOURCES as SERVERS
from compute.rest.fields import fields
from compute.rest.op import Op, Query, Resource
from compute.rest.versions import window

_PARTS: tuple[Resource, ...] = (
    versions.RESOURCE,
    limits.RESOURCE,
    availability_zones.RESOURCE,
    flavors.RESOURCE,
    flavor_access.RESOURCE,
    flavor_extra_specs.RESOURCE,
    keypairs.RESOURCE,
    server_groups.RESOURCE,
    quota_sets.RESOURCE,
    quota_class_sets.RESOURCE,
    services.RESOURCE,
    service_health.RESOURCE,
    aggregates.RESOURCE,
    hypervisors.RESOURCE,
    instance_actions.RESOURCE,
    operations.RESOURCE,
    migrations.RESOURCE,
    audit.RESOURCE,
    *removed.RESOURCES,
    *planned.RESOURCES,
    *SERVERS,
)
RESOURCES = (extensions.resource(_PARTS), *_PARTS)

# From 2.102 on a query that an operation does not know is refused, also by those that know none.
_NO_QUERY = Query(fields(), strict=window('2.102'))


def all_resources() -> tuple[Resource, ...]:
    """Return the resources as they are served."""
    return tuple(dataclasses.replace(resource, ops=tuple(_closed(op) for op in resource.ops))
                 for resource in RESOURCES)


def _closed(op: Op) -> Op:
    return op if op.query is not None or op.public or op.is_refused else dataclasses.replace(op, query=_NO_QUERY)
