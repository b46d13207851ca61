"""Lists of servers: filters and sort keys from tables, keyset paging, one query a page."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from compute import exception
from compute.db.instances import from_row
from compute.db.tables import instances as table
from compute.objects.instance import Instance

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
    'hostname': table.c.hostname, 'locked': table.c.locked, 'config_drive': table.c.config_drive,
    'progress': table.c.progress, 'launch_index': table.c.launch_index, 'launched_at': table.c.launched_at,
    'created_at': table.c.created_at, 'terminated_at': table.c.terminated_at, 'description': table.c.description,
    'server_group': table.c.server_group, 'access_ip_v4': table.c.access_ip_v4, 'access_ip_v6': table.c.access_ip_v6,
}


@dataclass(frozen=True, kw_only=True)
class Filter:
    """What to list. ``equal`` maps names of ``EQUAL`` to allowed values; regular expressions are matched in Python.

    ``patterns`` may hold ``name``, ``ip`` and ``ip6``. ``tags`` and the like hold tags.
    """

    deleted: bool | None = False
    equal: dict[str, tuple[Any, ...]] = field(default_factory=dict)
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
    """Return at most ``limit`` servers after ``marker``. :raises Invalid: the marker is unknown or a pattern is wrong."""
    keys = _sort_keys(sort)
    query = sa.select(table).where(*_conditions(wanted)).order_by(
        *(column.asc() if direction == 'asc' else column.desc() for column, direction in keys))
    if marker:
        query = query.where(_after(connection, marker, keys))
    checks = _checks(wanted)
    if not checks:
        return [from_row(row) for row in connection.execute(query.limit(limit))]
    found = []
    for row in connection.execute(query.execution_options(yield_per=500)):
        instance = from_row(row)
        if all(check(instance) for check in checks):
            found.append(instance)
            if len(found) == limit:
                break
    return found


def _sort_keys(sort: tuple[tuple[str, str], ...]) -> list[tuple[Any, str]]:
    keys = [(SORT_COLUMNS[name], direction) for name, direction in sort]
    if not keys:
        keys = [(table.c.created_at, 'desc')]
    return [*keys, (table.c.id, keys[-1][1])]


def _conditions(wanted: Filter) -> list[Any]:
    conditions: list[Any] = []
    if wanted.deleted is not None:
        conditions.append(table.c.deleted == (sa.true() if wanted.deleted else sa.false()))
    for name, values in wanted.equal.items():
        column = EQUAL[name]
        some = [value for value in values if value is not None]
        test = column == some[0] if len(some) == 1 else column.in_(some)
        conditions.append(sa.or_(test, column.is_(None)) if len(some) < len(values) else test)
    if wanted.vm_and_task is not None:
        vm_states, task_states = wanted.vm_and_task
        conditions.append(table.c.vm_state.in_(vm_states))
        if task_states is not None:
            conditions.append(table.c.task_state.in_(task_states))
    if wanted.changed_since is not None:
        conditions.append(table.c.updated_at >= wanted.changed_since)
    if wanted.changed_before is not None:
        conditions.append(table.c.updated_at <= wanted.changed_before)
    return conditions


def _after(connection: Connection, marker: str, keys: list[tuple[Any, str]]) -> Any:
    """Return the condition for rows behind the marker's: (a > x) or (a = x and b > y) or ..."""
    row = connection.execute(sa.select(table).where(table.c.uuid == marker)).first()
    if row is None:
        raise exception.Invalid(f'marker [{marker}] not found', code='marker_not_found')
    terms, same = [], []
    for column, direction in keys:
        value = row._mapping[column.name]
        terms.append(sa.and_(*same, _beyond(column, direction, value)))
        same.append(column.is_(None) if value is None else column == value)
    return sa.or_(*terms)


def _beyond(column: Any, direction: str, value: Any) -> Any:
    if value is None:  # nulls come first when ascending, last when descending
        return column.is_not(None) if direction == 'asc' else sa.false()
    if direction == 'asc':
        return column > value
    return sa.or_(column < value, column.is_(None)) if column.nullable else column < value


def _checks(wanted: Filter) -> list[Callable[[Instance], bool]]:
    """Return what SQL cannot say the same way on three databases."""
    checks: list[Callable[[Instance], bool]] = []
    for name, text in wanted.patterns.items():
        pattern = _pattern(name, text)
        checks.append(lambda instance, name=name, pattern=pattern: any(  # type: ignore[misc]
            pattern.search(value) for value in _texts(instance, name)))
    if wanted.metadata:
        checks.append(lambda instance: wanted.metadata.items() <= instance.metadata.items())
    if wanted.tags:
        checks.append(lambda instance: set(wanted.tags) <= set(instance.tags))
    if wanted.tags_any:
        checks.append(lambda instance: bool(set(wanted.tags_any) & set(instance.tags)))
    if wanted.not_tags:
        checks.append(lambda instance: not set(wanted.not_tags) <= set(instance.tags))
    if wanted.not_tags_any:
        checks.append(lambda instance: not set(wanted.not_tags_any) & set(instance.tags))
    return checks


def _pattern(name: str, text: str) -> re.Pattern[str]:
    try:
        return re.compile(text, re.IGNORECASE if name == 'name' else 0)
    except re.error as error:
        raise exception.Invalid(f'{name} is no regular expression: {json.dumps(text)}: {error}') from None


def _texts(instance: Instance, name: str) -> list[str]:
    if name == 'name':
        return [instance.name]
    version = 6 if name == 'ip6' else 4
    return [ip.address for nic in instance.nics for ip in nic.fixed_ips if ip.version == version]
