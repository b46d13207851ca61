"""Server groups: which servers shall run together or apart, and where their members sit.

A server says with its ``server_group`` that it is a member; the seat that it holds (``claims.take``) says where. Seats
are taken and given back with claims, so that a group's placement and the hosts' use cannot disagree.
"""

from __future__ import annotations

import uuid as uuids
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from compute import exception
from compute.db.tables import group_seats, hosts, instances
from compute.db.tables import server_groups as table
from compute.objects.request_spec import ServerGroup
from compute.objects.value import now

POLICIES = ('affinity', 'anti-affinity', 'soft-affinity', 'soft-anti-affinity')


def insert(connection: Connection, *, project_id: str, user_id: str, name: str, policy: str,
           rules: dict[str, int] | None = None) -> str:
    """Add a group and return its uuid."""
    uuid = str(uuids.uuid4())
    connection.execute(table.insert().values(
        uuid=uuid, project_id=project_id, user_id=user_id, name=name, policy=policy, rules=rules or {},
        created_at=now()))
    return uuid


def for_scheduler(connection: Connection, uuid: str, without: str = '') -> ServerGroup | None:
    """Return a group's policy and the hosts of its members, one entry for each member; None when it is gone.

    :param without: the member that is to be placed: where it is now does not count.
    """
    row = connection.execute(sa.select(table.c.policy, table.c.rules).where(table.c.uuid == uuid)).first()
    if row is None:
        return None
    query = sa.select(hosts.c.host).select_from(group_seats.join(hosts, hosts.c.id == group_seats.c.host_id)).where(
        group_seats.c.group_uuid == uuid, group_seats.c.instance_uuid != without).order_by(group_seats.c.id)
    return ServerGroup(uuid=uuid, policy=row.policy, rules=row.rules or {},
                       member_hosts=tuple(connection.execute(query).scalars()))


def members(connection: Connection, uuid: str) -> list[str]:
    """Return the uuids of a group's servers."""
    return list(connection.execute(sa.select(instances.c.uuid).where(_member(uuid)).order_by(instances.c.id)).scalars())


def add_members(connection: Connection, uuid: str, instance_uuids: list[str], limits: dict[str, int]) -> None:
    """Check that a group may get these servers; its row stays locked until the transaction ends.

    Membership itself is written with the servers (``instances.server_group``), which the caller adds next.

    :raises Invalid: ``group_not_found``: there is no such group.
    :raises OverQuota: ``server_group_members`` would be passed.
    """
    if connection.execute(sa.select(table.c.id).where(table.c.uuid == uuid).with_for_update()).first() is None:
        raise exception.Invalid(f'Server group {uuid} could not be found.', code='group_not_found')
    limit = limits.get('server_group_members', -1)
    if limit < 0:
        return
    query = sa.select(sa.func.count()).where(_member(uuid), instances.c.uuid.not_in(instance_uuids))
    used = int(connection.execute(query).scalar_one())
    if used + len(instance_uuids) > limit:
        raise exception.OverQuota(
            f'Quota exceeded for server_group_members: requested {len(instance_uuids)}, but already used {used} of '
            f'{limit} in group {uuid}')


def delete(connection: Connection, uuid: str) -> None:
    """Remove a group with its seats; its servers stay where they are. :raises NotFound:"""
    if connection.execute(table.delete().where(table.c.uuid == uuid)).rowcount != 1:
        raise exception.NotFound(f'Server group {uuid} could not be found.', code='group_not_found')
    connection.execute(group_seats.delete().where(group_seats.c.group_uuid == uuid))
    connection.execute(instances.update().where(instances.c.server_group == uuid).values(server_group=None))


def _member(uuid: str) -> sa.ColumnElement[Any]:
    return sa.and_(instances.c.server_group == uuid, instances.c.deleted == sa.false())
