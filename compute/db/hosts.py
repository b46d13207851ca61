"""Hypervisor hosts: what they report, what may be claimed on them, how they are found and listed.

A host's identity is its node's uuid, kept in a file on the machine; the name is a label that has to stay with it.
Every function that changes a row raises its ``generation`` by one and sets ``changed_at``: schedulers keep hosts in
memory and look only for what changed.
"""

from __future__ import annotations

import datetime
import uuid as uuids
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from compute import exception
from compute.db.services import sickness_of
from compute.db.tables import hosts as table
from compute.db.tables import operations, services
from compute.objects.host import Host, Inventory
from compute.objects.kinds import KINDS
from compute.objects.operation import OPEN
from compute.objects.registration import HostReport
from compute.objects.value import now

_DETAILS = ('architectures', 'vm_modes', 'cpu_info', 'traits', 'uptime')
_MEASURED = ('vcpus', 'memory_mb', 'disk_gb', 'free_disk_gb', 'hypervisor_type', 'hypervisor_version', 'host_ip',
             'node')
_TOLD = ('host', 'availability_zone', 'cpu_allocation_ratio', 'ram_allocation_ratio', 'disk_allocation_ratio',
         'reserved_vcpus', 'reserved_memory_mb', 'reserved_disk_gb')
_COLUMNS = (*_MEASURED, *_TOLD, 'id', 'uuid', 'vcpus_used', 'memory_mb_used', 'disk_gb_used', 'running_vms',
            'failed_builds', 'generation', 'service_id')


def limit(total: int, reserved: int, ratio: float) -> int:
    """Return how much may be claimed of a resource."""
    return max(0, int((total - reserved) * ratio + 1e-6))


def upsert(connection: Connection, report: HostReport, inventory: Inventory, service_id: int) -> int:
    """Add a host or renew what is known of it, and return its id. Its use stays as it is.

    :raises Conflict: ``host_identity``: this node was known under another name, or this name belongs to another node.
    """
    values = _values(report, inventory, service_id)
    for _ in range(2):
        if (row := _same_host(connection, report)) is not None:
            connection.execute(table.update().where(table.c.id == row.id).values(**values, **_changed()))
            return int(row.id)
        try:
            with connection.begin_nested():
                time = now()
                result = connection.execute(table.insert().values(
                    **values, uuid=report.node_uuid, generation=1, changed_at=time, created_at=time, updated_at=time))
                key: Any = result.inserted_primary_key
                return int(key[0])
        except IntegrityError:
            continue  # added by another at the same time
    raise exception.Unavailable(f'Host {report.host} could not be registered; it may try again', code='host_busy')


def _same_host(connection: Connection, report: HostReport) -> Any:
    rows = connection.execute(sa.select(table.c.id, table.c.uuid, table.c.host).where(
        sa.or_(table.c.uuid == report.node_uuid, table.c.host == report.host))).all()
    for row in rows:
        if row.uuid != report.node_uuid:
            raise exception.Conflict(
                # Not which: whoever names it is taken for it.
                f'Host name {report.host} belongs to another node than {report.node_uuid}',
                code='host_identity', hint='give this machine another name ([DEFAULT] host), restore its node uuid '
                'file, or delete the old compute service')
        if row.host != report.host:
            raise exception.Conflict(
                f'Node {report.node_uuid} is known as host {row.host}; it now calls itself {report.host}',
                code='host_identity', hint=f'set [DEFAULT] host = {row.host} on this machine')
    return rows[0] if rows else None


def _values(report: HostReport, inventory: Inventory, service_id: int) -> dict[str, Any]:
    told = {name: getattr(report, name) for name in _TOLD}
    return {**told, **_measured(inventory, told), 'service_id': service_id}


def _measured(inventory: Inventory, told: Mapping[str, Any]) -> dict[str, Any]:
    values = {name: getattr(inventory, name) for name in _MEASURED}
    details = {name: getattr(inventory, name) for name in _DETAILS}
    limits = {
        'vcpus_limit': limit(inventory.vcpus, told['reserved_vcpus'], told['cpu_allocation_ratio']),
        'memory_mb_limit': limit(inventory.memory_mb, told['reserved_memory_mb'], told['ram_allocation_ratio']),
        'disk_gb_limit': limit(inventory.disk_gb, told['reserved_disk_gb'], told['disk_allocation_ratio'])}
    return {**values, **limits, 'details': {name: list(value) if isinstance(value, tuple) else value
                                            for name, value in details.items()}}


def _changed() -> dict[str, Any]:
    time = now()
    return {'generation': table.c.generation + 1, 'changed_at': time, 'updated_at': time}


def update_inventory(connection: Connection, host: str, inventory: Inventory) -> None:
    """Note what a host has now. :raises NotFound: it never registered."""
    row = connection.execute(sa.select(*(table.c[name] for name in _TOLD)).where(table.c.host == host)).first()
    if row is None:
        raise exception.NotFound(f'Host {host} is not registered', code='host_not_found')
    connection.execute(table.update().where(table.c.host == host).values(
        **_measured(inventory, row._asdict()), **_changed()))


def bump_failed_builds(connection: Connection, host: str) -> None:
    """Count a build that failed on a host; the scheduler avoids it until one succeeds."""
    connection.execute(table.update().where(table.c.host == host).values(
        failed_builds=table.c.failed_builds + 1, **_changed()))


def note_success(connection: Connection, host: str) -> None:
    """Forget a host's failed builds; nothing is written where there are none."""
    connection.execute(table.update().where(table.c.host == host, table.c.failed_builds > 0).values(
        failed_builds=0, **_changed()))


def delete(connection: Connection, host: str) -> None:
    """Remove a host that is out of service. Whoever calls has made sure that no claim is left on it."""
    connection.execute(table.delete().where(table.c.host == host))


# -- reading --

def _query() -> sa.sql.Select[Any]:
    service = (services.c.uuid.label('service_uuid'), services.c.disabled.label('service_disabled'),
               services.c.disabled_reason, services.c.forced_down, services.c.last_seen_at, services.c.problems)
    return sa.select(*(table.c[name] for name in (*_COLUMNS, 'details')), *service).select_from(
        table.outerjoin(services, services.c.id == table.c.service_id))


def from_row(row: Any) -> Host:
    """Return the host of a joined row. One whose service is gone counts as forced down."""
    values = row._mapping
    details = values['details']
    gone = values['service_uuid'] is None
    return Host(
        **{name: values[name] for name in _COLUMNS},
        architectures=tuple(details.get('architectures', ())), vm_modes=tuple(details.get('vm_modes', ())),
        traits=tuple(details.get('traits', ())), cpu_info=details.get('cpu_info', {}),
        uptime=details.get('uptime', ''), service_uuid=values['service_uuid'] or '',
        service_disabled=bool(values['service_disabled']), disabled_reason=values['disabled_reason'],
        forced_down=gone or bool(values['forced_down']), last_seen_at=values['last_seen_at'],
        sickness=sickness_of(values['problems']))


def all_hosts(connection: Connection) -> list[Host]:
    """Return every host."""
    return [from_row(row) for row in connection.execute(_query().order_by(table.c.id))]


class Known(Protocol):
    """Tells the generation of a host that the caller has, or None. A dict does."""

    def get(self, host_id: int, /) -> int | None:
        """Return it."""


def changed_since(connection: Connection, time: datetime.datetime, known: Known | None = None) -> list[Host]:
    """Return hosts whose row changed at ``time`` or later.

    ``known`` maps ids to generations that the caller has: those are left out, which keeps it cheap to look back over
    an overlap. Heartbeats do not count as changes; ``liveness`` tells them.
    """
    recent = connection.execute(sa.select(table.c.id, table.c.generation).where(table.c.changed_at >= time)).all()
    return of_ids(connection, [row.id for row in recent if known is None or known.get(row.id) != row.generation])


def of_ids(connection: Connection, ids: list[int]) -> list[Host]:
    """Return hosts by id; those that are gone are left out."""
    found = []
    for start in range(0, len(ids), 500):
        part = _query().where(table.c.id.in_(ids[start:start + 500]))
        found += [from_row(row) for row in connection.execute(part)]
    return found


class Heard(NamedTuple):
    """What a service said of itself lately."""

    service_id: int
    disabled: bool
    disabled_reason: str | None
    forced_down: bool
    last_seen_at: datetime.datetime | None
    sickness: int


def liveness(connection: Connection, time: datetime.datetime) -> list[Heard]:
    """Return (service_id, disabled, disabled_reason, forced_down, last_seen_at, sickness) of services that reported
    since."""
    query = sa.select(services.c.id.label('service_id'), services.c.disabled, services.c.disabled_reason,
                      services.c.forced_down, services.c.last_seen_at, services.c.problems)
    return [Heard(*row[:-1], sickness_of(row.problems)) for row in connection.execute(query.where(
        sa.or_(services.c.last_seen_at >= time, services.c.updated_at >= time)))]


def io_ops(connection: Connection) -> dict[str, int]:
    """Return by host name how many operations that load its disk go on there."""
    query = sa.select(operations.c.host, sa.func.count()).where(
        operations.c.state.in_(OPEN), operations.c.host.is_not(None),
        operations.c.kind.in_([kind.name for kind in KINDS.values() if kind.loads_disk]))
    query = query.group_by(operations.c.host)
    return {host: int(count) for host, count in connection.execute(query)}


def find(connection: Connection, host: str) -> Host | None:
    """Return a host by its name, or None."""
    row = connection.execute(_query().where(table.c.host == host)).first()
    return from_row(row) if row is not None else None


def get(connection: Connection, key: int | str) -> Host:
    """Return a host by id (a number), by its node's uuid, or by name. :raises NotFound:"""
    row = connection.execute(_query().where(_by_key(key))).first()
    if row is None:
        raise exception.NotFound(f'Compute host {key} could not be found.', code='host_not_found')
    return from_row(row)


def _by_key(key: int | str) -> sa.ColumnElement[bool]:
    if isinstance(key, int) or (key.isascii() and key.isdigit()):
        # Beyond 64 bits no database would take it.
        return table.c.id == int(key) if len(str(key)) < 19 else sa.false()
    try:
        return table.c.uuid == str(uuids.UUID(key))
    except ValueError:
        return table.c.host == key


def page(connection: Connection, *, limit: int | None = None, marker: int | str | None = None,
         pattern: str | None = None) -> list[Host]:
    """Return hosts in the order of their ids, after ``marker`` (id or uuid), whose node's name contains ``pattern``.

    :raises Invalid: ``marker_not_found``.
    """
    query = _query().order_by(table.c.id)
    if marker is not None:
        after = connection.execute(sa.select(table.c.id).where(_by_key(marker))).scalar()
        if after is None:
            raise exception.Invalid(f'marker [{marker}] not found', code='marker_not_found')
        query = query.where(table.c.id > after)
    if pattern is not None:
        query = query.where(sa.func.lower(table.c.node).contains(pattern.lower(), autoescape=True))
    if limit is not None:
        query = query.limit(limit)
    return [from_row(row) for row in connection.execute(query)]


def zone_names(connection: Connection) -> list[str]:
    """Return the names of the availability zones, in order."""
    return sorted(set(connection.execute(sa.select(table.c.availability_zone)).scalars()))


def exists(connection: Connection, *, host: str | None = None, node: str | None = None,
           zone: str | None = None) -> bool:
    """Tell whether there is a host of this name, of this node's name and in this zone, as far as they are given."""
    wanted = {column: name for column, name in (
        (table.c.host, host), (table.c.node, node), (table.c.availability_zone, zone)) if name is not None}
    query = sa.select(*wanted).where(*(column == name for column, name in wanted.items()))
    exactly = tuple(wanted.values())  # MariaDB compares without regard to case; a zone has many hosts, one will do
    return any(exactly in map(tuple, connection.execute(each)) for each in (query.limit(1), query))


def zones(connection: Connection) -> dict[str, list[Host]]:
    """Return availability zones by name with their hosts; whoever shows them judges from these which are up."""
    found: dict[str, list[Host]] = {}
    for row in connection.execute(_query().order_by(table.c.availability_zone, table.c.host)):
        host = from_row(row)
        found.setdefault(host.availability_zone, []).append(host)
    return found
