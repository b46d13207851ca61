"""Lists of servers: filters and sort keys from tables, keyset paging, one query a page."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from compute import exception
from compute.db import keyset, patterns
from compute.db.expression import Expression
from compute.db.instances import READ, from_row
from compute.db.tables import instances as table
from compute.db.tables import services
from compute.objects.host import Service
from compute.objects.instance import Brief, Instance

SORT_COLUMNS = {
    'created_at': table.c.created_at, 'updated_at': table.c.updated_at, 'launched_at': table.c.launched_at,
    'terminated_at': table.c.terminated_at, 'display_name': table.c.name, 'uuid': table.c.uuid, 'host': table.c.host,
    'node': table.c.node, 'vm_state': table.c.vm_state, 'task_state': table.c.task_state,
    'power_state': table.c.power_state, 'progress': table.c.progress, 'project_id': table.c.project_id,
    'user_id': table.c.user_id, 'availability_zone': table.c.availability_zone, 'config_drive': table.c.config_drive,
    'image_ref': table.c.image_id, 'instance_type_id': table.c.flavorid, 'key_name': table.c.key_name,
    'hostname': table.c.hostname, 'locked': table.c.locked, 'launch_index': table.c.launch_index,
    'display_description': table.c.description, 'access_ip_v4': table.c.access_ip_v4,
    'access_ip_v6': table.c.access_ip_v6, 'root_device_name': table.c.id, 'auto_disk_config': table.c.id,
    'locked_by': table.c.locked,
}

# Filters that compare a column with one of several values.
EQUAL = {
    'project_id': table.c.project_id, 'user_id': table.c.user_id, 'host': table.c.host, 'node': table.c.node,
    'reservation_id': table.c.reservation_id, 'image': table.c.image_id, 'flavor': table.c.flavorid,
    'vm_state': table.c.vm_state, 'task_state': table.c.task_state, 'power_state': table.c.power_state,
    'availability_zone': table.c.availability_zone, 'key_name': table.c.key_name, 'uuid': table.c.uuid,
    'locked': table.c.locked, 'config_drive': table.c.config_drive,
    'progress': table.c.progress, 'launch_index': table.c.launch_index, 'launched_at': table.c.launched_at,
    'created_at': table.c.created_at, 'terminated_at': table.c.terminated_at,
    'server_group': table.c.server_group, 'access_ip_v4': table.c.access_ip_v4, 'access_ip_v6': table.c.access_ip_v6,
}
# Filters that search a text column with a regular expression.
SEARCHED = {'name': table.c.name, 'hostname': table.c.hostname, 'description': table.c.description}
# Filters that compare values inside a JSON column: the column, and the values of a server that count.
INSIDE: dict[str, tuple[str, Callable[[Any], Iterable[Any]]]] = {
    'kernel_id': ('image', lambda image: _property(image, 'kernel_id')),
    'ramdisk_id': ('image', lambda image: _property(image, 'ramdisk_id')),
    'root_device_name': ('extra', lambda extra: [extra.get('root_device_name')]),
    'locked_by': ('extra', lambda extra: [extra.get('locked_by')]),
    'auto_disk_config': ('extra', lambda extra: [extra.get('disk_config', 'MANUAL')]),
    'security_groups': ('nics', lambda nics: [group for nic in nics for group in nic['security_groups']]),
}
_ADDRESSES = {'ip': 4, 'ip6': 6}
Check = Callable[[Any], bool]


@dataclass(frozen=True, kw_only=True)
class Filter:
    """What to list. ``equal`` maps names of ``EQUAL`` and ``inside`` names of ``INSIDE`` to allowed values.

    ``patterns`` maps names of ``SEARCHED``, ``ip`` and ``ip6`` to regular expressions. ``tags`` and the like hold tags.
    """

    deleted: bool | None = False
    equal: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    inside: dict[str, tuple[str, ...]] = field(default_factory=dict)
    vm_and_task: tuple[tuple[str, ...], tuple[str, ...] | None] | None = None
    changed_since: datetime.datetime | None = None
    changed_before: datetime.datetime | None = None
    patterns: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    tags_any: tuple[str, ...] = ()
    not_tags: tuple[str, ...] = ()
    not_tags_any: tuple[str, ...] = ()


def page(connection: Connection, wanted: Filter, limit: int, marker: str | None,
         sort: tuple[tuple[str, str], ...] = ()) -> list[Instance]:
    """Return at most ``limit`` servers after ``marker``. :raises Invalid: unknown marker, or a wrong pattern."""
    names = [column.name for column in READ]
    return [from_row(row, names) for row in _rows(connection, wanted, limit, marker, sort, READ)]


def page_with_hosts(connection: Connection, wanted: Filter, limit: int, marker: str | None,
                    sort: tuple[tuple[str, str], ...] = ()) -> list[tuple[Instance, Service | None]]:
    """Return the same page with what the service of each server's host says of itself, in the same query."""
    names, count = [column.name for column in READ], len(READ)
    rows = _rows(connection, wanted, limit, marker, sort, (*READ, *_LIFE), table.outerjoin(services, sa.and_(
        services.c.host == table.c.host, services.c.binary == 'nova-compute')))
    return [(from_row(row[:count], names), _service(row)) for row in rows]


_LIFE = tuple(services.c[name].label(f'service_{name}') for name in (
    'uuid', 'disabled', 'forced_down', 'last_seen_at'))


def _service(row: Any) -> Service | None:
    return None if row.service_uuid is None else Service(
        uuid=row.service_uuid, host=row.host, binary='nova-compute', disabled=bool(row.service_disabled),
        forced_down=bool(row.service_forced_down), last_seen_at=row.service_last_seen_at)


def briefs(connection: Connection, wanted: Filter, limit: int, marker: str | None,
           sort: tuple[tuple[str, str], ...] = ()) -> list[Brief]:
    """Return the same page with no more than a short list shows. :raises Invalid:"""
    columns = (table.c.uuid, table.c.name)
    return [Brief(row.uuid, row.name) for row in _rows(connection, wanted, limit, marker, sort, columns)]


def _rows(connection: Connection, wanted: Filter, limit: int, marker: str | None, sort: tuple[tuple[str, str], ...],
          columns: Any, source: Any = table) -> Iterator[Any]:
    keys = _sort_keys(sort)
    conditions, checks = _conditions(wanted)
    more = [table.c[name] for name, _ in checks if name not in {column.name for column in columns}]
    query = sa.select(*columns, *dict.fromkeys(more)).select_from(source).where(*conditions).order_by(
        *keyset.order(keys))
    if marker:
        query = query.where(_after(connection, wanted, marker, keys))
    found = 0
    if not checks:
        for row in connection.execute(query.limit(limit)):
            yield row
            found += 1
        if marker and not found:  # the last page, or a marker that is not there
            _marker_row(connection, wanted, marker, keys)
        return
    if connection.dialect.name != 'postgresql':  # its cursors need a transaction, and reads have none
        query = query.execution_options(yield_per=500)
    for row in connection.execute(query) if limit else ():
        if all(check(row._mapping[name]) for name, check in checks):
            yield row
            found += 1
            if found == limit:
                return


def _sort_keys(sort: tuple[tuple[str, str], ...]) -> list[keyset.Key]:
    keys = [(SORT_COLUMNS[name], direction) for name, direction in sort] or [(table.c.created_at, 'desc')]
    return [*keys, (table.c.id, keys[-1][1])]


def _after(connection: Connection, wanted: Filter, marker: str, keys: list[keyset.Key]) -> Any:
    if any(column.nullable for column, _ in keys):
        return keyset.after(keys, _marker_row(connection, wanted, marker, keys))
    where = _is_marker(wanted, marker, _MARKER)
    return keyset.after_marker(keys, lambda column: sa.select(_MARKER.c[column.name]).where(*where).scalar_subquery())


_MARKER = table.alias('marker')


def _is_marker(wanted: Filter, marker: str, among: Any) -> list[Any]:
    # A marker of another project would tell how its server compares with one's own.
    scope = [_equal(among.c.project_id, wanted.equal['project_id'])] if 'project_id' in wanted.equal else []
    return [among.c.uuid == marker, *scope]


def _marker_row(connection: Connection, wanted: Filter, marker: str, keys: list[keyset.Key]) -> Any:
    query = sa.select(*(column for column, _ in keys)).where(*_is_marker(wanted, marker, table))
    row = connection.execute(query).first()
    if row is None:
        raise exception.Invalid(f'marker [{marker}] not found', code='marker_not_found')
    return row


def _conditions(wanted: Filter) -> tuple[list[Any], list[tuple[str, Check]]]:
    """Return what SQL can say, and checks of columns for what it cannot say the same way on three databases."""
    conditions = [_equal(EQUAL[name], values) for name, values in wanted.equal.items()]
    if wanted.deleted is not None:
        conditions.append(table.c.deleted == (sa.true() if wanted.deleted else sa.false()))
    if wanted.vm_and_task is not None:
        vm_states, task_states = wanted.vm_and_task
        conditions.append(table.c.vm_state.in_(vm_states))
        if task_states is not None:
            conditions.append(table.c.task_state.in_(task_states))
    if wanted.changed_since is not None:
        conditions.append(table.c.updated_at >= wanted.changed_since)
    if wanted.changed_before is not None:
        conditions.append(table.c.updated_at <= wanted.changed_before)
    checks = _tag_checks(wanted)
    for name, text in wanted.patterns.items():
        pattern = patterns.compiled(name, text)
        if name in _ADDRESSES:
            checks.append(('nics', _address_check(pattern, _ADDRESSES[name])))
        elif (condition := patterns.condition(SEARCHED[name], text)) is not None:
            conditions.append(condition)
        else:
            checks.append((SEARCHED[name].name, _text_check(pattern)))
    checks += [(INSIDE[name][0], _inside_check(name, values)) for name, values in wanted.inside.items()]
    if wanted.metadata:
        checks.append(('metadata', lambda metadata: wanted.metadata.items() <= metadata.items()))
    return conditions, checks


def _equal(column: Any, values: tuple[Any, ...]) -> Any:
    some = [value for value in values if value is not None]
    test = column == some[0] if len(some) == 1 else column.in_(some)
    return sa.or_(test, column.is_(None)) if len(some) < len(values) else test


def _property(image: Any, name: str) -> list[Any]:
    return [image['properties'].get(name)] if image else []


def _inside_check(name: str, values: tuple[str, ...]) -> Check:
    read, wanted = INSIDE[name][1], frozenset(values)
    return lambda column: not wanted.isdisjoint(read(column))


def _text_check(pattern: Expression) -> Check:
    return lambda text: text is not None and pattern.search(text)


def _address_check(pattern: Expression, version: int) -> Check:
    return lambda nics: any(ip['version'] == version and pattern.search(ip['address'])
                            for nic in nics for ip in nic['fixed_ips'])


def _tag_checks(wanted: Filter) -> list[tuple[str, Check]]:
    checks: list[tuple[str, Check]] = []
    if wanted.tags:
        checks.append(('tags', lambda tags: set(wanted.tags) <= set(tags)))
    if wanted.tags_any:
        checks.append(('tags', lambda tags: not set(wanted.tags_any).isdisjoint(tags)))
    if wanted.not_tags:
        checks.append(('tags', lambda tags: not set(wanted.not_tags) <= set(tags)))
    if wanted.not_tags_any:
        checks.append(('tags', lambda tags: set(wanted.not_tags_any).isdisjoint(tags)))
    return checks
