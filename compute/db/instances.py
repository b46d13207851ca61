"""Servers: queries that return ``Instance`` values."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from compute import exception
from compute.db import injected_files
from compute.db.tables import instances as table
from compute.objects.flavor import Flavor
from compute.objects.image import Image
from compute.objects.instance import Fault, Instance
from compute.objects.nic import Nic
from compute.objects.value import decode, encode, now

# Fields of an Instance that are columns under their own names.
COLUMNS = (
    'uuid', 'project_id', 'user_id', 'name', 'description', 'hostname', 'vm_state', 'task_state', 'power_state',
    'progress', 'host', 'node', 'launched_on', 'availability_zone', 'pinned_availability_zone', 'key_name',
    'reservation_id', 'launch_index', 'locked', 'config_drive', 'server_group', 'access_ip_v4', 'access_ip_v6',
    'metadata', 'user_data', 'created_at', 'updated_at', 'launched_at', 'terminated_at', 'deleted')
# Fields that nobody filters by: together in ``extra``.
EXTRA = ('key_data', 'key_type', 'security_groups', 'scheduler_hints', 'trusted_image_certificates', 'disk_config',
         'root_device_name', 'locked_by', 'locked_reason', 'file_paths')


# What from_row reads: not the copies of the flavor's and image's members that claims and filters are worked out from.
_JSON = ('flavor', 'image', 'nics', 'tags', 'fault', 'extra')
READ = tuple(column for column in table.c if column.name in {'id', *COLUMNS, *_JSON})


def to_row(instance: Instance) -> dict[str, Any]:
    """Return an instance as column values, without its id."""
    row = {name: encode(getattr(instance, name)) if name == 'metadata' else getattr(instance, name)
           for name in COLUMNS}
    flavor = instance.flavor
    return {**row, 'flavorid': flavor.flavorid, 'vcpus': flavor.vcpus, 'memory_mb': flavor.memory_mb,
            'disk_gb': flavor.disk_gb, 'cores_charged': flavor.vcpus, 'ram_charged': flavor.memory_mb,
            'flavor': encode(flavor), 'image': encode(instance.image),
            'image_id': instance.image.id if instance.image else None, 'nics': encode(instance.nics),
            'tags': list(instance.tags), 'fault': encode(instance.fault),
            'extra': {name: encode(getattr(instance, name)) for name in EXTRA}}


def from_row(row: Any, names: Sequence[str] | None = None) -> Instance:
    """Return the instance of a row. Who reads many gives the names of the columns, which are asked for once then."""
    values = dict(zip(names or row._fields, row, strict=True))
    extra = values['extra']
    return Instance(
        id=values['id'], **{name: values[name] for name in COLUMNS},
        flavor=decode(Flavor, values['flavor']), image=decode(Image | None, values['image']),
        nics=decode(tuple[Nic, ...], values['nics']), tags=tuple(values['tags']),
        fault=decode(Fault | None, values['fault']), key_data=extra.get('key_data'),
        key_type=extra.get('key_type', 'ssh'), security_groups=tuple(extra.get('security_groups', ())),
        scheduler_hints=extra.get('scheduler_hints', {}),
        trusted_image_certificates=_optional_tuple(extra.get('trusted_image_certificates')),
        disk_config=extra.get('disk_config', 'MANUAL'), root_device_name=extra.get('root_device_name'),
        locked_by=extra.get('locked_by'), locked_reason=extra.get('locked_reason'),
        file_paths=tuple(extra.get('file_paths', ())))


def _optional_tuple(value: Any) -> tuple[str, ...] | None:
    return None if value is None else tuple(value)


def insert(connection: Connection, instance: Instance, operation_id: int | None = None) -> int:
    """Add an instance, with the operation that makes it, and return its id."""
    result = connection.execute(table.insert().values(**to_row(instance), operation_id=operation_id))
    return int((result.inserted_primary_key or (0,))[0])


def get(connection: Connection, uuid: str, project_id: str | None = None, *, deleted: bool = False) -> Instance:
    """Return a server, of any project when ``project_id`` is None. :raises NotFound: none, deleted, or another's."""
    found = find(connection, uuid, deleted=deleted)
    if found is None or (project_id is not None and found.project_id != project_id):
        raise exception.NotFound(f'Instance {uuid} could not be found.', code='server_not_found')
    return found


def once_launched(time: datetime.datetime) -> sa.ColumnElement[Any]:
    """Return ``launched_at`` of a server that runs at a time: the first time counts."""
    return sa.func.coalesce(table.c.launched_at, time)


_ANY = sa.select(*READ).where(table.c.uuid == sa.bindparam('uuid'))
_LIVE = _ANY.where(table.c.deleted == sa.false())


def lock(connection: Connection, uuid: str) -> Instance:
    """Return a server and keep others from changing it until the transaction ends. :raises NotFound:"""
    row = connection.execute(sa.select(table).where(
        table.c.uuid == uuid, table.c.deleted == sa.false()).with_for_update()).first()
    if row is None:
        raise exception.NotFound(f'Instance {uuid} could not be found.', code='server_not_found')
    return from_row(row)


def find(connection: Connection, uuid: str, *, deleted: bool = False) -> Instance | None:
    """Return a server or None; with ``deleted`` also one that was deleted."""
    row = connection.execute(_ANY if deleted else _LIVE, {'uuid': uuid}).first()
    return from_row(row) if row is not None else None


def of_uuids(connection: Connection, uuids: Collection[str]) -> dict[str, Instance]:
    """Return those of these servers that there are, by uuid."""
    query = sa.select(table).where(table.c.uuid.in_(uuids), table.c.deleted == sa.false())
    return {row.uuid: from_row(row) for row in connection.execute(query)}


def of_host(connection: Connection, host: str) -> list[Instance]:
    """Return every server on a host."""
    query = sa.select(table).where(table.c.host == host, table.c.deleted == sa.false()).order_by(table.c.id)
    return [from_row(row) for row in connection.execute(query)]


def idle_on_hosts(connection: Connection, after: int, limit: int) -> list[Instance]:
    """Return servers on hosts that have no open operation, in the order of their ids."""
    query = sa.select(*READ).where(
        table.c.id > after, table.c.host.is_not(None), table.c.task_state.is_(None),
        table.c.deleted == sa.false()).order_by(table.c.id).limit(limit)
    return [from_row(row) for row in connection.execute(query)]


def deleted_on_host(connection: Connection, host: str, uuids: Collection[str],
                    since: datetime.datetime) -> list[str]:
    """Return those of these servers that were on a host and were deleted after ``since``."""
    query = sa.select(table.c.uuid).where(
        table.c.uuid.in_(uuids), sa.or_(table.c.launched_on == host, table.c.host == host),
        table.c.deleted == sa.true(), table.c.terminated_at >= since)
    return [row.uuid for row in connection.execute(query)]


def update(connection: Connection, uuid: str, **values: Any) -> bool:
    """Set columns of a live server; tell whether it was there. JSON columns take values already encoded."""
    result = connection.execute(table.update().where(table.c.uuid == uuid, table.c.deleted == sa.false())
                                .values(updated_at=now(), **values))
    return result.rowcount == 1


def swap(connection: Connection, uuid: str, *, vm_states: tuple[str, ...] | None, task_states: tuple[Any, ...] | None,
         **values: Any) -> bool:
    """Set columns if the server is in one of these states (None: any); tell whether it was."""
    condition = [table.c.uuid == uuid, table.c.deleted == sa.false()]
    if vm_states is not None:
        condition.append(table.c.vm_state.in_(vm_states))
    if task_states is not None:
        named = [state for state in task_states if state is not None]
        allowed = table.c.task_state.in_(named)
        condition.append(sa.or_(allowed, table.c.task_state.is_(None)) if None in task_states else allowed)
    result = connection.execute(table.update().where(*condition).values(updated_at=now(), **values))
    return result.rowcount == 1


def set_flavor(connection: Connection, uuid: str, flavor: Flavor) -> None:
    """Give a server another flavor."""
    update(connection, uuid, flavorid=flavor.flavorid, vcpus=flavor.vcpus, memory_mb=flavor.memory_mb,
           disk_gb=flavor.disk_gb, flavor=encode(flavor))


def merge_extra(connection: Connection, uuid: str, **values: Any) -> None:
    """Set members of ``extra``."""
    row = connection.execute(sa.select(table.c.extra).where(table.c.uuid == uuid).with_for_update()).first()
    if row is not None:
        connection.execute(table.update().where(table.c.uuid == uuid).values(
            extra={**row.extra, **values}, updated_at=now()))


def mark_deleted(connection: Connection, uuid: str) -> bool:
    """Let a server be gone: it is no longer found; the janitor removes the row later, and its files go now."""
    injected_files.forget(connection, uuid)
    return update(connection, uuid, deleted=True, vm_state='deleted', task_state=None, terminated_at=now(),
                  operation_id=None)


def purge(connection: Connection, before: datetime.datetime, limit: int) -> int:
    """Remove rows of servers deleted before a time, ``limit`` at most, and return how many.

    Files of theirs are left where a conductor of the release before deleted them.
    """
    old = connection.execute(sa.select(table.c.id, table.c.uuid).where(
        table.c.deleted == sa.true(), table.c.terminated_at < before).limit(limit)).all()
    if old:
        injected_files.forget(connection, *(row.uuid for row in old))
        connection.execute(table.delete().where(table.c.id.in_([row.id for row in old])))
    return len(old)


def password(connection: Connection, uuid: str) -> str:
    """Return the encrypted password that the guest posted; empty if it did not."""
    row = connection.execute(sa.select(table.c.extra).where(table.c.uuid == uuid)).first()
    return str(row.extra.get('password', '')) if row is not None else ''
