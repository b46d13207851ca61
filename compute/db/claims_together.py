"""Claims of servers that are made together: one transaction, and a few statements for each host they go to.

The locks are taken in the order of ``claims``: all instances, then the hosts by their ids.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from compute.db import claims
from compute.db.claims import RESOURCES, Claimed, Refused
from compute.db.tables import claims as table
from compute.db.tables import hosts, instances
from compute.objects.request_spec import CURRENT, RequestSpec
from compute.objects.value import now


def take_together(connection: Connection, wanted: Sequence[tuple[RequestSpec, int]]) -> dict[int, Claimed]:
    """Claim hosts (by id) for servers, all or nothing, as all that a transaction does; return what was claimed by host.

    The servers have no claim yet and are in no group; the claims are their current ones.

    :raises Refused: one of them is deleted, no longer shows the operation that asks, has a claim or is in a group, or a
        host has no room, is disabled or deleted.
    """
    if any(spec.group is not None or spec.purpose != CURRENT for spec, _ in wanted):
        raise Refused
    by_host: dict[int, list[RequestSpec]] = defaultdict(list)
    for spec, host_id in wanted:
        by_host[host_id].append(spec)
    places = {row.id: row for row in connection.execute(claims.places(hosts.c.id.in_(list(by_host))))}
    if len(places) < len(by_host) or any(place.disabled or place.forced_down for place in places.values()):
        raise Refused
    for host_id in sorted(by_host):
        _settle(connection, by_host[host_id], places[host_id])
    uuids = [spec.instance_uuid for spec, _ in wanted]
    if connection.execute(sa.select(table.c.id).where(table.c.instance_uuid.in_(uuids)).limit(1)).first() is not None:
        raise Refused
    for host_id in sorted(by_host):
        _charge(connection, by_host[host_id], host_id)
    generations = connection.execute(sa.select(hosts.c.id, hosts.c.generation).where(hosts.c.id.in_(list(by_host))))
    return {row.id: Claimed(host_id=row.id, host=places[row.id].host, node=places[row.id].node,
                            availability_zone=places[row.id].availability_zone, generation=row.generation)
            for row in generations}


def _settle(connection: Connection, specs: list[RequestSpec], place: Any) -> None:
    settled = connection.execute(instances.update().where(
        instances.c.uuid.in_([spec.instance_uuid for spec in specs]), *claims.claimable(specs)).values(
        host=place.host, node=place.node, availability_zone=place.availability_zone, updated_at=now()))
    if settled.rowcount != len(specs):
        raise Refused


def _charge(connection: Connection, specs: list[RequestSpec], host_id: int) -> None:
    total = {name: sum(getattr(spec, name) for spec in specs) for name in RESOURCES}
    if not claims.charge(connection, host_id, total, vms=len(specs), check=True):
        raise Refused
    time = now()
    connection.execute(table.insert(), [
        {'instance_uuid': spec.instance_uuid, 'host_id': host_id, 'purpose': spec.purpose, 'created_at': time,
         'operation_id': spec.operation_id or None,
         **{name: getattr(spec, name) for name in RESOURCES}} for spec in specs])
