"""What a project may have and what it has.

Limits come from the configuration, then the default quota class, then the project, then the user. Instances, cores and
memory are charged with one conditional UPDATE in the transaction that makes the server, so that any number of
requests at once cannot pass a limit.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from oslo_config import cfg
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from compute.db.tables import instances as servers
from compute.db.tables import quota_classes, quotas, server_groups, usages
from compute.exception import OverQuota

CHARGED = ('instances', 'cores', 'ram')
RESOURCES = (*CHARGED, 'metadata_items', 'injected_files', 'injected_file_content_bytes', 'injected_file_path_bytes',
             'key_pairs', 'server_groups', 'server_group_members')
UNLIMITED = -1
DEFAULT_CLASS = 'default'
_OF_USER = 2


def class_limits(connection: Connection, conf: cfg.ConfigOpts, name: str = DEFAULT_CLASS) -> dict[str, int]:
    """Return the limits of a quota class: what was set for it, else what is configured."""
    limits = {resource: getattr(conf.quota, resource) for resource in RESOURCES}
    query = sa.select(quota_classes).where(quota_classes.c.name == name)
    return {**limits, **{row.resource: row.hard_limit for row in connection.execute(query)}}


def limits_of(connection: Connection, conf: cfg.ConfigOpts, project_id: str, user_id: str | None = None, *,
              binding: bool = False) -> dict[str, int]:
    """Return every limit of a project, or of a user in it, by resource; -1 is none.

    ``binding``: what holds when something is charged: a user's limit does not lift the project's, which may have been
    lowered since.
    """
    users = [''] if user_id is None else ['', user_id]
    by_class = sa.select(sa.literal(0).label('rank'), quota_classes.c.resource, quota_classes.c.hard_limit).where(
        quota_classes.c.name == DEFAULT_CLASS)
    own = sa.select(sa.case((quotas.c.user_id == '', 1), else_=_OF_USER), quotas.c.resource, quotas.c.hard_limit).where(
        quotas.c.project_id == project_id, quotas.c.user_id.in_(users))
    limits = {resource: getattr(conf.quota, resource) for resource in RESOURCES}
    for row in sorted(connection.execute(sa.union_all(by_class, own)), key=lambda row: row.rank):
        lifts = row.rank == _OF_USER and _or_more(row.hard_limit, limits[row.resource])
        if not (binding and lifts):
            limits[row.resource] = row.hard_limit
    return limits


def _or_more(one: int, other: int) -> bool:
    return one == UNLIMITED or (other != UNLIMITED and one >= other)


def limits_by_project(connection: Connection, project_ids: list[str]) -> dict[str, dict[str, int]]:
    """Return the limits that were set for projects themselves, by project and resource."""
    found: dict[str, dict[str, int]] = {}
    query = sa.select(quotas).where(quotas.c.project_id.in_(project_ids), quotas.c.user_id == '')
    for row in connection.execute(query) if project_ids else ():
        found.setdefault(row.project_id, {})[row.resource] = row.hard_limit
    return found


def highest_of_users(connection: Connection, project_id: str) -> dict[str, int]:
    """Return, by resource, the highest limit that was set for a user of a project; unlimited is the highest of all."""
    found: dict[str, int] = {}
    query = sa.select(quotas.c.resource, quotas.c.hard_limit).where(
        quotas.c.project_id == project_id, quotas.c.user_id != '')
    for resource, limit in connection.execute(query):
        if resource not in found or _or_more(limit, found[resource]):
            found[resource] = limit
    return found


def set_limit(connection: Connection, project_id: str, resource: str, limit: int, user_id: str | None = None) -> None:
    """Set one limit of a project, or of a user in it."""
    _put(connection, quotas, {'project_id': project_id, 'user_id': user_id or '', 'resource': resource}, limit)


def set_class_limit(connection: Connection, name: str, resource: str, limit: int) -> None:
    """Set one limit of a quota class."""
    _put(connection, quota_classes, {'name': name, 'resource': resource}, limit)


def _put(connection: Connection, table: sa.Table, key: dict[str, Any], limit: int) -> None:
    mine = sa.and_(*(table.c[name] == value for name, value in key.items()))
    update = table.update().where(mine).values(hard_limit=limit)
    if connection.execute(update).rowcount:
        return
    try:
        with connection.begin_nested():
            connection.execute(table.insert().values(**key, hard_limit=limit))
    except IntegrityError:
        connection.execute(update)


def reset(connection: Connection, project_id: str, user_id: str | None = None) -> None:
    """Forget what was set for a project with its users, or for one user in it."""
    mine = quotas.c.project_id == project_id
    if user_id is not None:
        mine = sa.and_(mine, quotas.c.user_id == user_id)
    connection.execute(quotas.delete().where(mine))


def usage_of(connection: Connection, project_id: str) -> dict[str, int]:
    """Return what a project has: instances, cores, ram and server_groups."""
    row = connection.execute(sa.select(usages).where(usages.c.project_id == project_id)).first()
    used = {resource: row._mapping[resource] if row is not None else 0 for resource in CHARGED}
    groups = sa.select(sa.func.count()).select_from(server_groups).where(server_groups.c.project_id == project_id)
    return {**used, 'server_groups': int(connection.execute(groups).scalar_one())}


def charge(connection: Connection, limits: dict[str, int], project_id: str, *, instances: int = 0, cores: int = 0,
           ram: int = 0) -> None:
    """Add to a project's use, all or nothing. A negative amount is given back and never refused.

    :raises OverQuota: names each resource that falls short, what was asked for, what is used and the limit.
    """
    wanted = {'instances': instances, 'cores': cores, 'ram': ram}
    fits = [usages.c[resource] + amount <= limits[resource] for resource, amount in wanted.items()
            if amount > 0 and limits[resource] != UNLIMITED]
    statement = usages.update().where(usages.c.project_id == project_id, *fits).values(
        {resource: usages.c[resource] + amount for resource, amount in wanted.items()})
    if connection.execute(statement).rowcount:
        return
    lock_project(connection, project_id)
    if connection.execute(statement).rowcount:
        return
    raise _over(limits, wanted, usage_of(connection, project_id))


def refund(connection: Connection, project_id: str, *, instances: int = 0, cores: int = 0, ram: int = 0) -> None:
    """Take from a project's use; it never falls below zero."""
    back = {'instances': instances, 'cores': cores, 'ram': ram}
    connection.execute(usages.update().where(usages.c.project_id == project_id).values({
        resource: sa.case((usages.c[resource] > amount, usages.c[resource] - amount), else_=0)
        for resource, amount in back.items()}))


def charge_server(connection: Connection, limits: dict[str, int], project_id: str, uuid: str, *, cores: int,
                  ram: int) -> None:
    """Charge a server with at least this much; what it is charged with less is added to its project's use.

    :raises OverQuota: the difference does not fit.
    """
    charged = charge_of(connection, uuid)
    wanted = {'cores': max(cores, charged['cores']), 'ram': max(ram, charged['ram'])}
    charge(connection, limits, project_id, **{name: wanted[name] - charged[name] for name in wanted})
    _note_charge(connection, uuid, **wanted)


def recharge_server(connection: Connection, project_id: str, uuid: str, *, cores: int, ram: int) -> None:
    """Charge a server with exactly this much, which is not more than it is charged with; the rest is refunded."""
    charged = charge_of(connection, uuid)
    refund(connection, project_id, cores=charged['cores'] - cores, ram=charged['ram'] - ram)
    _note_charge(connection, uuid, cores=cores, ram=ram)


def charge_of(connection: Connection, uuid: str) -> dict[str, int]:
    """Return the cores and memory that a server is charged with; its row stays locked until the transaction ends."""
    row = connection.execute(sa.select(servers.c.cores_charged, servers.c.ram_charged).where(
        servers.c.uuid == uuid).with_for_update()).first()
    return {'cores': row.cores_charged, 'ram': row.ram_charged} if row is not None else {'cores': 0, 'ram': 0}


def _note_charge(connection: Connection, uuid: str, *, cores: int, ram: int) -> None:
    connection.execute(servers.update().where(servers.c.uuid == uuid).values(cores_charged=cores, ram_charged=ram))


def lock_project(connection: Connection, project_id: str) -> None:
    """Make sure that a project has a row of use and lock it: whoever counts and then adds does so alone."""
    mine = usages.c.project_id == project_id
    if connection.execute(sa.select(usages.c.project_id).where(mine).with_for_update()).first() is None:
        try:
            with connection.begin_nested():
                connection.execute(usages.insert().values(project_id=project_id, instances=0, cores=0, ram=0))
        except IntegrityError:
            connection.execute(sa.select(usages.c.project_id).where(mine).with_for_update())


def uneven(connection: Connection) -> list[tuple[str, dict[str, int], dict[str, int]]]:
    """Return projects whose recorded use is not what their servers sum to: project, recorded, counted."""
    counted = _counted().group_by(servers.c.project_id).subquery()
    projects = sa.union(sa.select(usages.c.project_id), sa.select(counted.c.project_id)).subquery()
    recorded = {name: sa.func.coalesce(usages.c[name], 0) for name in CHARGED}
    sums = {name: sa.func.coalesce(counted.c[name], 0) for name in CHARGED}
    query = sa.select(projects.c.project_id, *(column.label(f'r_{name}') for name, column in recorded.items()), *(
        column.label(f'c_{name}') for name, column in sums.items())).select_from(
        projects.outerjoin(usages, usages.c.project_id == projects.c.project_id).outerjoin(
            counted, counted.c.project_id == projects.c.project_id)).where(
        sa.or_(*(recorded[name] != sums[name] for name in CHARGED))).order_by(projects.c.project_id)
    return [(row.project_id, *({name: int(row._mapping[f'{which}_{name}']) for name in CHARGED} for which in 'rc'))
            for row in connection.execute(query)]


def recount(connection: Connection, project_id: str) -> tuple[dict[str, int], dict[str, int]] | None:
    """Set a project's use to what its servers sum to; return what was and what is, None where that is the same."""
    lock_project(connection, project_id)
    used = usage_of(connection, project_id)
    recorded = {name: used[name] for name in CHARGED}
    row = connection.execute(_counted().where(servers.c.project_id == project_id).group_by(
        servers.c.project_id)).first()
    counted = {name: int(row._mapping[name]) if row is not None else 0 for name in CHARGED}
    if recorded == counted:
        return None
    connection.execute(usages.update().where(usages.c.project_id == project_id).values(**counted))
    return recorded, counted


def _counted() -> sa.sql.Select[Any]:
    sums = {'cores': servers.c.cores_charged, 'ram': servers.c.ram_charged}
    return sa.select(servers.c.project_id, sa.func.count().label('instances'), *(
        sa.func.sum(column).label(name) for name, column in sums.items())).where(servers.c.deleted == sa.false())


def _over(limits: dict[str, int], wanted: dict[str, int], used: dict[str, int]) -> OverQuota:
    short = sorted(resource for resource, amount in wanted.items() if amount > 0
                   and limits[resource] != UNLIMITED and used[resource] + amount > limits[resource])
    def joined(values: dict[str, int]) -> str:
        return ', '.join(str(values[resource]) for resource in short)
    return OverQuota(f'Quota exceeded for {", ".join(short)}: Requested {joined(wanted)}, but already used '
                     f'{joined(used)} of {joined(limits)} {", ".join(short)}',
                     details={'resources': short, 'requested': wanted, 'used': used,
                              'limits': {resource: limits[resource] for resource in short}})
