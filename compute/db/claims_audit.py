"""Whether the books of hosts are even: use is the sum of claims, claims are servers', seats go with claims.

Each question is one statement, so that it may be asked of a busy cloud: use, claims, hosts and seats are written in one
transaction. Mending asks again under the lock that the writers take.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from compute import states
from compute.db.claims import RESOURCES, charge, release
from compute.db.tables import claims as table
from compute.db.tables import group_seats, hosts, instances, server_groups
from compute.objects.request_spec import CURRENT, INCOMING, OUTGOING
from compute.objects.value import now

_COUNTED = {**{name: f'{name}_used' for name in RESOURCES}, 'running_vms': 'running_vms'}
_SERVERS = sa.func.sum(sa.case((table.c.purpose == CURRENT, 1), else_=0))


@dataclass(frozen=True, kw_only=True)
class Discrepancy:
    """Something that is not even.

    :ivar kind: usage, no_host, no_instance, wrong_host, unexplained, no_claim, seat, no_group, no_seat.
    :ivar purpose: of the claim that is meant.

    ``busy``: an operation goes on with the server, which may be what moves it.
    """

    kind: str
    message: str
    host: str | None = None
    host_id: int | None = None
    instance_uuid: str | None = None
    group_uuid: str | None = None
    purpose: str | None = None
    resource: str | None = None
    recorded: int | None = None
    counted: int | None = None
    busy: bool = False


def audit(connection: Connection) -> list[Discrepancy]:
    """Return what is not even of what is there: use, claims, seats."""
    return [*usage(connection), *owners(connection), *seats(connection)]


def missing(connection: Connection) -> list[Discrepancy]:
    """Return what is not there: claims of servers that are on hosts, seats of members of groups."""
    return [*unclaimed(connection), *unseated(connection)]


def usage(connection: Connection) -> list[Discrepancy]:
    """Compare what hosts record as used with the claims on them."""
    sums = sa.select(table.c.host_id, _SERVERS.label('running_vms'), *(
        sa.func.sum(table.c[name]).label(name) for name in RESOURCES)).group_by(table.c.host_id).subquery()
    columns = {name: hosts.c[column] for name, column in _COUNTED.items()}
    counted = {name: sa.func.coalesce(sums.c[name], 0) for name in columns}
    query = sa.select(hosts.c.id, hosts.c.host, *(column.label(f'r_{name}') for name, column in columns.items()), *(
        column.label(f'c_{name}') for name, column in counted.items())).select_from(
        hosts.outerjoin(sums, sums.c.host_id == hosts.c.id)).where(
        sa.or_(*(columns[name] != counted[name] for name in columns))).order_by(hosts.c.host)
    found = []
    for row in connection.execute(query):
        for name in columns:
            recorded, total = int(row._mapping[f'r_{name}']), int(row._mapping[f'c_{name}'])
            if recorded != total:
                found.append(Discrepancy(
                    kind='usage', host=row.host, host_id=row.id, resource=name, recorded=recorded, counted=total,
                    message=f'host {row.host} records {recorded} {name} used, its claims sum to {total}'))
    return found


def owners(connection: Connection, instance_uuid: str | None = None) -> list[Discrepancy]:
    """Return claims, of one server or of all, that nothing explains.

    A current claim is explained by the server on that host, an incoming one by the open operation that it was taken
    for, an outgoing one by a resize that waits for confirmation or an open operation on the server.
    """
    open_operation = sa.and_(instances.c.operation_id.is_not(None),
                             instances.c.operation_id == table.c.operation_id)
    waits = sa.or_(instances.c.vm_state == states.RESIZED, instances.c.operation_id.is_not(None))
    query = sa.select(table.c.instance_uuid, table.c.host_id, table.c.purpose, hosts.c.host,
                      instances.c.id.label('instance_id'), instances.c.host.label('instance_host'),
                      instances.c.deleted, instances.c.operation_id).select_from(
        table.outerjoin(hosts, hosts.c.id == table.c.host_id).outerjoin(
            instances, instances.c.uuid == table.c.instance_uuid)).where(sa.or_(
                hosts.c.id.is_(None), instances.c.id.is_(None), instances.c.deleted == sa.true(),
                sa.and_(table.c.purpose == CURRENT,
                        sa.or_(instances.c.host.is_(None), instances.c.host != hosts.c.host)),
                sa.and_(table.c.purpose == INCOMING, sa.not_(sa.func.coalesce(open_operation, sa.false()))),
                sa.and_(table.c.purpose == OUTGOING, sa.not_(waits)))).order_by(table.c.id)
    if instance_uuid is not None:
        query = query.where(table.c.instance_uuid == instance_uuid)
    return [_owner(row) for row in connection.execute(query)]


def _owner(row: Any) -> Discrepancy:
    place = row.host or f'id {row.host_id}'
    busy = row.operation_id is not None
    if row.host is None:
        kind, why = 'no_host', 'which does not exist'
    elif row.instance_id is None or row.deleted:
        kind, why = 'no_instance', 'but there is no such server'
    elif row.purpose == CURRENT:
        kind, why = 'wrong_host', f'but the server\'s host is {row.instance_host}'
    else:
        # The claim names the operation that it was taken for: another one does not explain it.
        kind, why, busy = 'unexplained', 'which no operation and no resize explains', False
    return Discrepancy(kind=kind, host=row.host, host_id=row.host_id, instance_uuid=row.instance_uuid, busy=busy,
                       purpose=row.purpose,
                       message=f'server {row.instance_uuid} has its {row.purpose} claim on host {place}, {why}')


def unclaimed(connection: Connection, instance_uuid: str | None = None) -> list[Discrepancy]:
    """Return servers, one or all, that are on a host and claim nothing there."""
    mine = sa.and_(table.c.instance_uuid == instances.c.uuid, table.c.host_id == hosts.c.id,
                   table.c.purpose == CURRENT)
    query = sa.select(instances.c.uuid, instances.c.host, instances.c.operation_id, hosts.c.id).select_from(
        instances.outerjoin(hosts, hosts.c.host == instances.c.host).outerjoin(table, mine)).where(
        instances.c.deleted == sa.false(), instances.c.host.is_not(None), table.c.id.is_(None)).order_by(instances.c.id)
    if instance_uuid is not None:
        query = query.where(instances.c.uuid == instance_uuid)
    return [Discrepancy(kind='no_claim', host=row.host, host_id=row.id, instance_uuid=row.uuid,
                        busy=row.operation_id is not None,
                        message=f'server {row.uuid} is on host {row.host} and has no claim there')
            for row in connection.execute(query)]


def seats(connection: Connection) -> list[Discrepancy]:
    """Return seats without a claim, or of a group that is gone."""
    same = sa.and_(table.c.instance_uuid == group_seats.c.instance_uuid, table.c.host_id == group_seats.c.host_id)
    query = sa.select(group_seats.c.group_uuid, group_seats.c.instance_uuid, group_seats.c.host_id, hosts.c.host,
                      table.c.id.label('claim')).select_from(
        group_seats.outerjoin(table, same).outerjoin(hosts, hosts.c.id == group_seats.c.host_id).outerjoin(
            server_groups, server_groups.c.uuid == group_seats.c.group_uuid)).where(
        sa.or_(table.c.id.is_(None), server_groups.c.id.is_(None))).order_by(group_seats.c.id)
    return [Discrepancy(kind='seat' if row.claim is None else 'no_group', host=row.host, host_id=row.host_id,
                        instance_uuid=row.instance_uuid, group_uuid=row.group_uuid,
                        message=f'server {row.instance_uuid} has a seat of group {row.group_uuid} on host {row.host} '
                                + ('without a claim there' if row.claim is None else 'and there is no such group'))
            for row in connection.execute(query)]


def unseated(connection: Connection) -> list[Discrepancy]:
    """Return members of groups that have a claim and no seat with it."""
    same = sa.and_(group_seats.c.instance_uuid == table.c.instance_uuid, group_seats.c.host_id == table.c.host_id,
                   group_seats.c.group_uuid == instances.c.server_group)
    query = sa.select(instances.c.uuid, instances.c.server_group, hosts.c.host, hosts.c.id).select_from(
        instances.join(server_groups, server_groups.c.uuid == instances.c.server_group)
        .join(table, table.c.instance_uuid == instances.c.uuid).join(hosts, hosts.c.id == table.c.host_id)
        .outerjoin(group_seats, same)).where(
        instances.c.deleted == sa.false(), group_seats.c.id.is_(None)).order_by(instances.c.id)
    return [Discrepancy(kind='no_seat', host=row.host, host_id=row.id, instance_uuid=row.uuid,
                        group_uuid=row.server_group,
                        message=f'server {row.uuid} of group {row.server_group} has a claim on host {row.host} and no '
                                'seat there') for row in connection.execute(query)]


def recount(connection: Connection, host: str) -> dict[str, list[int]]:
    """Set a host's use to the sum of its claims; return what was and what is for each counter that changed."""
    row = connection.execute(sa.select(hosts).where(hosts.c.host == host).with_for_update()).first()
    if row is None:
        return {}
    sums = connection.execute(sa.select(sa.func.coalesce(_SERVERS, 0).label('running_vms'), *(
        sa.func.coalesce(sa.func.sum(table.c[name]), 0).label(name) for name in RESOURCES)).where(
        table.c.host_id == row.id)).one()
    changed = {column: [int(row._mapping[column]), int(sums._mapping[name])] for name, column in _COUNTED.items()
               if row._mapping[column] != sums._mapping[name]}
    if changed:
        connection.execute(hosts.update().where(hosts.c.id == row.id).values(
            generation=hosts.c.generation + 1, changed_at=now(),
            **{column: total for column, (_, total) in changed.items()}))
    return changed


def free(connection: Connection, instance_uuid: str, purpose: str) -> bool:
    """Release a claim that ``owners`` names; return whether it still was such a one."""
    _lock(connection, instance_uuid)
    wrong = any(each.purpose == purpose and not each.busy for each in owners(connection, instance_uuid))
    return wrong and release(connection, instance_uuid, purpose)


def claim_anew(connection: Connection, instance_uuid: str) -> bool:
    """Claim what a server that ``unclaimed`` names takes up, even if its host is over its limit then."""
    server = _lock(connection, instance_uuid)
    missing = next(iter(unclaimed(connection, instance_uuid)), None)
    if server is None or missing is None or missing.busy or missing.host_id is None:
        return False
    amounts = {name: int(getattr(server, name)) for name in RESOURCES}
    charge(connection, missing.host_id, amounts, vms=1)
    connection.execute(table.insert().values(
        instance_uuid=instance_uuid, host_id=missing.host_id, purpose=CURRENT, created_at=now(), **amounts))
    return True


def free_seat(connection: Connection, group_uuid: str, instance_uuid: str) -> bool:
    """Free a seat that ``seats`` names; tell whether it still was such a one."""
    _lock(connection, instance_uuid)
    claimed = sa.select(table.c.id).where(table.c.instance_uuid == instance_uuid,
                                          table.c.host_id == group_seats.c.host_id).exists()
    grouped = sa.select(server_groups.c.id).where(server_groups.c.uuid == group_uuid).exists()
    return connection.execute(group_seats.delete().where(
        group_seats.c.group_uuid == group_uuid, group_seats.c.instance_uuid == instance_uuid,
        sa.not_(sa.and_(claimed, grouped)))).rowcount > 0


def _lock(connection: Connection, instance_uuid: str) -> Any:
    """Keep others from moving or deleting a server until the transaction ends; its row, None when it is gone."""
    return connection.execute(sa.select(instances).where(
        instances.c.uuid == instance_uuid, instances.c.deleted == sa.false()).with_for_update()).first()
