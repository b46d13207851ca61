"""Flavors: queries that return ``Flavor`` values. A project sees public flavors and those it was given access to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from compute import exception
from compute.db import keyset
from compute.db.tables import flavors as table
from compute.objects.flavor import Flavor
from compute.objects.value import now

_PLAIN = ('id', 'flavorid', 'name', 'vcpus', 'memory_mb', 'root_gb', 'ephemeral_gb', 'swap_mb', 'rxtx_factor',
          'is_public', 'disabled', 'description', 'extra_specs', 'created_at', 'updated_at')

SORT_COLUMNS = {
    'flavorid': table.c.flavorid, 'name': table.c.name, 'memory_mb': table.c.memory_mb, 'vcpus': table.c.vcpus,
    'root_gb': table.c.root_gb, 'ephemeral_gb': table.c.ephemeral_gb, 'swap': table.c.swap_mb,
    'rxtx_factor': table.c.rxtx_factor, 'is_public': table.c.is_public, 'disabled': table.c.disabled,
    'description': table.c.description, 'created_at': table.c.created_at, 'updated_at': table.c.updated_at,
    'id': table.c.id,
}


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which flavors. ``project_id`` adds its private ones to the public; ``is_public`` None leaves both kinds in."""

    is_public: bool | None = None
    project_id: str | None = None
    min_memory_mb: int | None = None
    min_root_gb: int | None = None
    name: str | None = None


def from_row(row: Any) -> Flavor:
    """Return the flavor of a row."""
    values = row._mapping
    return Flavor(**{name: values[name] for name in _PLAIN}, projects=tuple(values['projects']))


def get(connection: Connection, flavorid: str, project_id: str | None = None) -> Flavor:
    """Return a flavor by the API's id, any flavor when ``project_id`` is None. :raises NotFound: none, or hidden."""
    row = connection.execute(sa.select(table).where(table.c.flavorid == flavorid)).first()
    flavor = from_row(row) if row is not None else None
    if flavor is None or not (project_id is None or flavor.is_public or project_id in flavor.projects):
        raise exception.NotFound(f'Flavor {flavorid} could not be found.', code='flavor_not_found')
    return flavor


def page(connection: Connection, wanted: Filter, limit: int, marker: str | None = None,
         sort: tuple[tuple[str, str], ...] = (('flavorid', 'asc'),)) -> list[Flavor]:
    """Return at most ``limit`` flavors after ``marker`` (an API id). :raises Invalid: there is no such marker."""
    keys = [(SORT_COLUMNS[name], direction) for name, direction in sort]
    keys.append((table.c.id, keys[-1][1] if keys else 'asc'))
    query = sa.select(table).where(*_conditions(wanted)).order_by(*keyset.order(keys)).limit(limit)
    if marker is not None:
        # A flavor that the project does not see would tell how its size compares with that of others.
        row = connection.execute(sa.select(table).where(table.c.flavorid == marker, *_visible(wanted))).first()
        if row is None:
            raise exception.Invalid(f'marker [{marker}] not found', code='marker_not_found')
        query = query.where(keyset.after(keys, row))
    return [from_row(row) for row in connection.execute(query)]


def _conditions(wanted: Filter) -> list[Any]:
    conditions = _visible(wanted)
    if wanted.min_memory_mb is not None:
        conditions.append(table.c.memory_mb >= wanted.min_memory_mb)
    if wanted.min_root_gb is not None:
        conditions.append(table.c.root_gb >= wanted.min_root_gb)
    if wanted.name is not None:
        conditions.append(sa.func.lower(table.c.name).contains(wanted.name.lower(), autoescape=True))
    return conditions


def _visible(wanted: Filter) -> list[Any]:
    public = table.c.is_public == sa.true()
    if wanted.project_id is not None:
        # A list of ids as JSON text: the quotes make the match exact on all three databases.
        mine = sa.cast(table.c.projects, sa.String(65535)).contains(f'"{wanted.project_id}"', autoescape=True)
        return [sa.or_(public, mine)]
    return [] if wanted.is_public is None else [public if wanted.is_public else sa.not_(public)]


def insert(connection: Connection, flavor: Flavor) -> Flavor:
    """Add a flavor and return it with its row's id. :raises Conflict: id or name is taken."""
    values = {name: getattr(flavor, name) for name in _PLAIN if name != 'id'}
    values.update(created_at=now(), projects=list(flavor.projects))
    try:
        with connection.begin_nested():
            connection.execute(table.insert().values(**values))
    except IntegrityError:
        raise _taken(connection, flavor) from None
    return get(connection, flavor.flavorid)


def _taken(connection: Connection, flavor: Flavor) -> exception.Conflict:
    taken = connection.execute(sa.select(table.c.id).where(table.c.flavorid == flavor.flavorid)).first()
    if taken is not None:
        return exception.Conflict(f'Flavor with ID {flavor.flavorid} already exists.', code='flavor_exists')
    return exception.Conflict(f'Flavor with name {flavor.name} already exists.', code='flavor_exists')


def update(connection: Connection, flavorid: str, **values: Any) -> Flavor:
    """Set columns of a flavor and return it. :raises NotFound: there is none."""
    connection.execute(table.update().where(table.c.flavorid == flavorid).values(updated_at=now(), **values))
    return get(connection, flavorid)


def change(connection: Connection, flavorid: str, *, extra_specs: dict[str, str] | None = None,
           drop_spec: str | None = None, add_project: str | None = None,
           drop_project: str | None = None) -> Flavor:
    """Change the sets that a flavor carries, under a lock of its row: two changes at once both hold.

    :raises NotFound: no such flavor, extra spec, or project with access. :raises Conflict: access was given before.
    """
    row = connection.execute(sa.select(table).where(table.c.flavorid == flavorid).with_for_update()).first()
    if row is None:
        raise exception.NotFound(f'Flavor {flavorid} could not be found.', code='flavor_not_found')
    specs, projects = {**row.extra_specs, **(extra_specs or {})}, list(row.projects)
    if drop_spec is not None:
        if drop_spec not in specs:
            raise exception.NotFound(f'Flavor {flavorid} has no extra specs with key {drop_spec}.')
        del specs[drop_spec]
    if add_project is not None:
        if add_project in projects:
            raise exception.Conflict(f'Flavor access already exists for flavor {flavorid} and project {add_project} '
                                     f'combination.')
        projects.append(add_project)
    if drop_project is not None:
        if drop_project not in projects:
            raise exception.NotFound(f'Flavor access not found for {flavorid} / {drop_project} combination.')
        projects.remove(drop_project)
    return update(connection, flavorid, extra_specs=specs, projects=projects)


def delete(connection: Connection, flavorid: str) -> None:
    """Remove a flavor. Servers keep their copy. :raises NotFound: there is none."""
    if not connection.execute(table.delete().where(table.c.flavorid == flavorid)).rowcount:
        raise exception.NotFound(f'Flavor {flavorid} could not be found.', code='flavor_not_found')
