"""Claims: the capacity of a host and the seat in a server group that a server holds, each for a purpose.

A server has at most one claim of each purpose. ``current`` is its own; ``incoming`` is where an open operation is
taking it, or its new size on the same host; ``outgoing`` is its old place or size while a resize waits for
confirmation. Only ``settle`` moves a server.

A claim is taken by one conditional statement on the host's row: two schedulers may both try, the row lets one of them
through. The order of locks is server group, instance, host in every function that takes several, so that claims wait
for one another instead of dead-locking. ``release`` locks the instance before it looks for claims: a claim that is
being taken at that moment is waited for and released as well.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from compute import exception
from compute.db.tables import claims as table
from compute.db.tables import group_seats, hosts, instances, server_groups, services
from compute.objects.request_spec import CURRENT, INCOMING, OUTGOING, RequestSpec, ServerGroup
from compute.objects.server_group import AFFINITY, ANTI_AFFINITY, SOFT_AFFINITY, SOFT_ANTI_AFFINITY
from compute.objects.value import now

RESOURCES = ('vcpus', 'memory_mb', 'disk_gb')


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """Where a server was placed. ``generation`` is the host's after this claim; ``fresh``: it was not there before."""

    host_id: int
    host: str
    node: str
    availability_zone: str
    generation: int
    fresh: bool = True


class Refused(Exception):
    """The claim cannot be had here; everything it wrote is to be rolled back."""


class MembersMoved(Refused):
    """Members of a group with a soft policy were placed since the host was chosen: another host may suit better now."""


def claim(connection: Connection, spec: RequestSpec, host_id: int) -> bool:
    """Claim a host for a server and return whether it could be claimed; see ``take``."""
    return take(connection, spec, host_id) is not None


def take(connection: Connection, spec: RequestSpec, host_id: int) -> Claimed | None:
    """Claim what ``spec`` asks for on a host for its purpose, with its group's seat.

    A current claim also sets the server's host, node and zone. None when the host has no room, is disabled or forced
    down, is gone, or its group forbids it: nothing is changed then. Asking again for the host that the server has
    claimed for this purpose is no error and changes nothing.

    :raises Conflict: ``already_claimed``: the server has a claim of this purpose on another host.
    :raises NotFound: ``instance_deleted``: the server is deleted; ``operation_ended``: it no longer shows the operation
        that the claim is for.
    """
    try:
        with connection.begin_nested():
            return take_or_refuse(connection, spec, host_id)
    except Refused:
        return None


def take_or_refuse(connection: Connection, spec: RequestSpec, host_id: int,
                   members: Mapping[str, int] | None = None) -> Claimed:
    """Do the same as ``take``, as all that a transaction does, which the refusal ends.

    :param members: members of the group by host when this host was chosen. None: do not compare.
    :raises MembersMoved: a soft policy may prefer another host by now. :raises Refused: the host is not to be had.
    """
    place = connection.execute(places(hosts.c.id == host_id)).first()
    if place is None or place.disabled or place.forced_down:
        raise Refused
    return _take(connection, spec, place, members)


def release(connection: Connection, instance_uuid: str, purpose: str | None = None) -> bool:
    """Release what a server claimed, for one purpose or for all, and the seats that go with it.

    The server's row is locked first and stays locked until the transaction ends: no scheduler claims in between.
    Return whether there was anything to release.
    """
    _lock_instance(connection, instance_uuid)
    query = sa.select(table).where(table.c.instance_uuid == instance_uuid)
    if purpose is not None:
        query = query.where(table.c.purpose == purpose)
    released = False
    for row in connection.execute(query.order_by(table.c.host_id)).all():
        # Of two that release at once, the one whose delete meets the row gives it back.
        if connection.execute(table.delete().where(table.c.id == row.id)).rowcount == 1:
            charge(connection, row.host_id, {name: -getattr(row, name) for name in RESOURCES},
                   vms=-1 if row.purpose == CURRENT else 0)
            released = True
    _release_seats(connection, instance_uuid)
    return released


def settle(connection: Connection, instance_uuid: str, *, outgoing: bool) -> None:
    """Move a server: its incoming claim becomes current, and its host, node and zone are those of that claim.

    :param outgoing: the former current claim is kept as outgoing until the move is confirmed or reverted; else it is
        released.
    :raises Stale: the server has no incoming or no current claim, or an outgoing one already.
    """
    _lock_instance(connection, instance_uuid)
    held = by_purpose(connection, instance_uuid)
    if not {CURRENT, INCOMING} <= held.keys() or (outgoing and OUTGOING in held):
        raise exception.Stale(f'server {instance_uuid} has claims {", ".join(held) or "of no purpose"}: '
                              'nothing can be settled')
    _lock_hosts(connection, held)
    if outgoing:
        _relabel(connection, held[CURRENT], OUTGOING)
    else:
        release(connection, instance_uuid, CURRENT)
    _relabel(connection, held[INCOMING], CURRENT)
    _move(connection, instance_uuid, held[INCOMING].host_id)


def settle_back(connection: Connection, instance_uuid: str) -> None:
    """Move a server back: its outgoing claim becomes current again, and the current one is released.

    :raises Stale: the server has no outgoing claim.
    """
    _lock_instance(connection, instance_uuid)
    held = by_purpose(connection, instance_uuid)
    if OUTGOING not in held:
        raise exception.Stale(f'server {instance_uuid} has no outgoing claim to move back to')
    _lock_hosts(connection, held)
    release(connection, instance_uuid, CURRENT)
    _relabel(connection, held[OUTGOING], CURRENT)
    _move(connection, instance_uuid, held[OUTGOING].host_id)


def by_purpose(connection: Connection, instance_uuid: str) -> dict[str, Any]:
    """Return the rows of a server's claims by purpose."""
    query = sa.select(table).where(table.c.instance_uuid == instance_uuid).order_by(table.c.id)
    return {row.purpose: row for row in connection.execute(query)}


def _relabel(connection: Connection, row: Any, purpose: str) -> None:
    """Change the purpose of a claim, and the number of servers on its host with it."""
    connection.execute(table.update().where(table.c.id == row.id).values(purpose=purpose, operation_id=None))
    vms = (purpose == CURRENT) - (row.purpose == CURRENT)
    charge(connection, row.host_id, {}, vms=vms)


def _move(connection: Connection, instance_uuid: str, host_id: int) -> None:
    place = connection.execute(sa.select(hosts.c.host, hosts.c.node, hosts.c.availability_zone).where(
        hosts.c.id == host_id)).one()
    connection.execute(instances.update().where(instances.c.uuid == instance_uuid).values(
        host=place.host, node=place.node, availability_zone=place.availability_zone, updated_at=now()))


def _lock_instance(connection: Connection, instance_uuid: str) -> None:
    connection.execute(sa.select(instances.c.id).where(instances.c.uuid == instance_uuid).with_for_update()).first()


def _lock_hosts(connection: Connection, held: Mapping[str, Any]) -> None:
    """Lock the hosts of these claims by their ids: servers that change places wait for each other."""
    ids = {row.host_id for row in held.values()}
    connection.execute(sa.select(hosts.c.id).where(hosts.c.id.in_(ids)).order_by(hosts.c.id).with_for_update()).all()


def _release_seats(connection: Connection, instance_uuid: str) -> None:
    """Release the seats of a server on hosts where it has no claim."""
    claimed = sa.select(table.c.host_id).where(table.c.instance_uuid == instance_uuid)
    connection.execute(group_seats.delete().where(
        group_seats.c.instance_uuid == instance_uuid, group_seats.c.host_id.not_in(claimed)))


def of_instance(connection: Connection, instance_uuid: str) -> list[int]:
    """Return the ids of the hosts on which a server has a claim."""
    query = sa.select(table.c.host_id).where(table.c.instance_uuid == instance_uuid).order_by(table.c.id)
    return [row.host_id for row in connection.execute(query)]


def hosts_of(connection: Connection, instance_uuid: str, purpose: str | None = None) -> list[str]:
    """Return the names of the hosts on which a server has a claim, for one purpose or for any."""
    query = sa.select(hosts.c.host).select_from(table.join(hosts, hosts.c.id == table.c.host_id)).where(
        table.c.instance_uuid == instance_uuid).order_by(table.c.id)
    if purpose is not None:
        query = query.where(table.c.purpose == purpose)
    return list(connection.execute(query).scalars())


def unclaimed_on(connection: Connection, host: str, uuids: Collection[str]) -> list[str]:
    """Return those of these servers that have no claim on a host and no open operation: nothing of them is to be there.
    """
    if not uuids:
        return []
    claimed = sa.select(table.c.instance_uuid).select_from(
        table.join(hosts, hosts.c.id == table.c.host_id)).where(hosts.c.host == host, table.c.instance_uuid.in_(uuids))
    busy = sa.select(instances.c.uuid).where(instances.c.uuid.in_(uuids), instances.c.operation_id.is_not(None))
    keep = {*connection.execute(claimed).scalars(), *connection.execute(busy).scalars()}
    return sorted(set(uuids) - keep)


def places(which: sa.ColumnElement[bool]) -> sa.sql.Select[Any]:
    """Return the query for what a claim needs to know of hosts."""
    query = sa.select(hosts.c.id, hosts.c.host, hosts.c.node, hosts.c.availability_zone, services.c.disabled,
                      services.c.forced_down)
    return query.select_from(hosts.join(services, services.c.id == hosts.c.service_id)).where(which)


def _take(connection: Connection, spec: RequestSpec, place: Any, members: Mapping[str, int] | None = None) -> Claimed:
    if spec.group is not None and spec.group.policy != ANTI_AFFINITY:
        _lock_group(connection, spec.group)
        if members is not None:
            _check_members(connection, spec, place.host, members)
    fresh = _needed(connection, spec, place)
    if fresh:
        if not charge(connection, place.id, {name: getattr(spec, name) for name in RESOURCES},
                      vms=int(spec.purpose == CURRENT), check=True):
            raise Refused
        connection.execute(table.insert().values(
            instance_uuid=spec.instance_uuid, host_id=place.id, purpose=spec.purpose,
            operation_id=spec.operation_id or None, created_at=now(),
            **{name: getattr(spec, name) for name in RESOURCES}))
        if spec.group is not None:
            _sit(connection, spec.group, place.id, spec.instance_uuid)
    generation = connection.execute(sa.select(hosts.c.generation).where(hosts.c.id == place.id)).scalar_one()
    return Claimed(host_id=place.id, host=place.host, node=place.node, availability_zone=place.availability_zone,
                   generation=generation, fresh=fresh)


def _needed(connection: Connection, spec: RequestSpec, place: Any) -> bool:
    """Lock the server's row, set its host for a current claim, and return whether it needs a claim there."""
    where = {'host': place.host, 'node': place.node, 'availability_zone': place.availability_zone}
    locked = connection.execute(instances.update().where(
        instances.c.uuid == spec.instance_uuid, *claimable([spec])).values(
        updated_at=now(), **(where if spec.purpose == CURRENT else {})))
    if locked.rowcount != 1:
        raise _not_claimable(connection, spec)
    held = by_purpose(connection, spec.instance_uuid).get(spec.purpose)
    if held is not None and held.host_id != place.id:
        other = connection.execute(sa.select(hosts.c.host).where(hosts.c.id == held.host_id)).scalar()
        raise exception.Conflict(f'Server {spec.instance_uuid} has its {spec.purpose} claim on host '
                                 f'{other or held.host_id} already; it is not placed on {place.host} as well',
                                 code='already_claimed', details={'host': other})
    return held is None


def claimable(specs: Sequence[RequestSpec]) -> list[sa.ColumnElement[bool]]:
    """Return the conditions on servers that may claim: not deleted, and the operation that asks still goes on.

    A spec without an operation (0) is for whatever goes on with the server.
    """
    numbers = [spec.operation_id for spec in specs if spec.operation_id]
    asking = [instances.c.operation_id.in_(numbers)] if len(numbers) == len(specs) else []
    return [instances.c.deleted == sa.false(), *asking]


def _not_claimable(connection: Connection, spec: RequestSpec) -> exception.NotFound:
    there = connection.execute(sa.select(instances.c.id).where(
        instances.c.uuid == spec.instance_uuid, instances.c.deleted == sa.false())).first()
    if there is None:
        return exception.NotFound(f'Server {spec.instance_uuid} was deleted before it had a host',
                                  code='instance_deleted')
    return exception.NotFound(f'Operation {spec.operation_id} of server {spec.instance_uuid} ended before the server '
                              'had a host', code='operation_ended')


def charge(connection: Connection, host_id: int, amounts: dict[str, int], *, vms: int, check: bool = False) -> bool:
    """Add to a host's use in one statement; with ``check`` only where every limit still holds."""
    where = [hosts.c.id == host_id]
    if check:
        # A resource that is not asked for does not matter, even where a host that shrank is over its limit.
        where += [hosts.c[f'{name}_used'] + amount <= hosts.c[f'{name}_limit']
                  for name, amount in amounts.items() if amount > 0]
    values: dict[str, Any] = {f'{name}_used': hosts.c[f'{name}_used'] + amount for name, amount in amounts.items()}
    result = connection.execute(hosts.update().where(*where).values(
        **values, running_vms=hosts.c.running_vms + vms, generation=hosts.c.generation + 1, changed_at=now()))
    return result.rowcount == 1


def _lock_group(connection: Connection, group: ServerGroup) -> None:
    """Hold a group's row until the transaction ends, so that its members are placed one after the other."""
    query = sa.select(server_groups.c.id).where(server_groups.c.uuid == group.uuid)
    connection.execute(query.with_for_update()).first()


def _check_members(connection: Connection, spec: RequestSpec, host: str, before: Mapping[str, int]) -> None:
    """Return if a soft policy still prefers ``host`` as it did with the members of ``before``; the group is locked.

    :raises MembersMoved: soft-affinity: a host that had no more members than this one has more now. soft-anti-affinity:
        this host has more members than before.
    """
    group = spec.group
    if group is None or group.policy not in (SOFT_AFFINITY, SOFT_ANTI_AFFINITY):
        return
    query = sa.select(hosts.c.host, sa.func.count().label('members')).select_from(
        group_seats.join(hosts, hosts.c.id == group_seats.c.host_id)).where(
        group_seats.c.group_uuid == group.uuid, group_seats.c.instance_uuid != spec.instance_uuid).group_by(
        hosts.c.host)
    there = {row.host: row.members for row in connection.execute(query)}
    here = there.get(host, 0)
    if group.policy == SOFT_ANTI_AFFINITY:
        moved = here > before.get(host, 0)
    else:
        moved = any(count > here and count > before.get(name, 0) for name, count in there.items())
    if moved:
        raise MembersMoved


def _sit(connection: Connection, group: ServerGroup, host_id: int, instance_uuid: str) -> None:
    """Take a seat, unless the server has one on this host.

    Hard anti-affinity has so many on each host, affinity only where the other members are; other policies any number.
    """
    mine = sa.and_(group_seats.c.instance_uuid == instance_uuid, group_seats.c.group_uuid == group.uuid)
    if connection.execute(sa.select(group_seats.c.id).where(mine, group_seats.c.host_id == host_id)).first():
        return
    limit = int(group.rules.get('max_server_per_host', 1)) if group.policy == ANTI_AFFINITY else None
    for _ in range(10):
        rows = connection.execute(_seats_that_matter(group, host_id)).all()
        if group.policy == AFFINITY and any(
                row.host_id != host_id and row.instance_uuid != instance_uuid for row in rows):
            raise Refused
        taken = {row.seat for row in rows if row.host_id == host_id}
        seat = next(number for number in range(len(taken) + 1) if number not in taken)
        if limit is not None and seat >= limit:
            raise Refused
        try:
            with connection.begin_nested():
                connection.execute(group_seats.insert().values(
                    group_uuid=group.uuid, host_id=host_id, seat=seat, instance_uuid=instance_uuid))
            return
        except IntegrityError:
            continue  # somebody else sat down first: look again
    raise Refused


def _seats_that_matter(group: ServerGroup, host_id: int) -> sa.sql.Select[Any]:
    query = sa.select(group_seats.c.host_id, group_seats.c.seat, group_seats.c.instance_uuid).where(
        group_seats.c.group_uuid == group.uuid)
    # Those elsewhere matter to affinity alone; leaving them out keeps anti-affinity's cost independent of group size.
    return query if group.policy == AFFINITY else query.where(group_seats.c.host_id == host_id)
