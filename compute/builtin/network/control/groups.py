"""Security groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from compute.builtin.network.control import ports_in_use, projects
from compute.builtin.network.control.changes import Work
from compute.builtin.network.db import rows
from compute.builtin.network.db import tables as t
from compute.builtin.network.db.kinds import GROUP
from compute.builtin.network.db.rows import Row
from compute.exception import Conflict


def create(work: Work, attributes: Mapping[str, Any]) -> Row:
    """Make a group with the two rules that let everything out. :raises Conflict: quota, or the name ``default``."""
    project_id = attributes['project_id']
    if attributes.get('name') == 'default':
        raise Conflict('Default security group already exists.', details={'type': 'SecurityGroupDefaultAlreadyExists'})
    projects.default_group(work, project_id)
    projects.charge(work, project_id, 'security_group')
    group = rows.insert(work.connection, GROUP, GROUP.values(attributes))
    for ethertype in ('IPv4', 'IPv6'):
        projects.insert_rule(work, {'project_id': project_id, 'group_id': group['id'], 'direction': 'egress',
                                    'ethertype': ethertype})
    return group


def update(work: Work, group_id: str, attributes: Mapping[str, Any]) -> Row:
    """Change a group. :raises Conflict: to rename the default group, or to take its name."""
    old = rows.get(work.connection, GROUP, group_id, lock=True)
    name = attributes.get('name', old['name'])
    if name != old['name'] and _is_default(work, old):
        raise Conflict('Updating default security group not allowed.',
                       details={'type': 'SecurityGroupCannotUpdateDefault'})
    if name == 'default' and old['name'] != 'default':
        raise Conflict('Default security group already exists.', details={'type': 'SecurityGroupDefaultAlreadyExists'})
    return rows.change(work.connection, GROUP, group_id, GROUP.values(attributes))


def delete(work: Work, group_id: str, *, may_default: bool) -> None:
    """Delete a group and the rules that name it.

    :param may_default: whether the caller may delete a default group, which comes back on its next use.
    :raises Conflict: ports use it, or it is the default group.
    """
    group = rows.get(work.connection, GROUP, group_id)
    projects.lock(work, group['project_id'])
    default = _is_default(work, group)
    if default and not may_default:
        raise Conflict('Insufficient rights for removing default security group.',
                       details={'type': 'SecurityGroupCannotRemoveDefault'})
    table = t.security_group_rules
    for rule in rows.every(work.connection, table, table.c.remote_group_id == group_id):
        work.changes.groups.add(rule['group_id'])
    if held := ports_in_use.ports(work, t.ports.c.project_id == group['project_id'], t.ports.c.id.in_(
            sa.select(t.port_groups.c.port_id).where(t.port_groups.c.group_id == group_id))):
        raise _in_use(group_id, f' by ports {ports_in_use.named(held)}')
    if default:
        projects.change(work, group['project_id'], default_group_id=None)
    try:
        rows.delete(work.connection, GROUP, group_id)
    except IntegrityError:
        raise _in_use(group_id, '') from None


def _in_use(group_id: str, what: str) -> Conflict:
    return Conflict(f'Security Group {group_id} in use{what}.', details={'type': 'SecurityGroupInUse'})


def _is_default(work: Work, group: Row) -> bool:
    query = sa.select(t.projects.c.id).where(t.projects.c.default_group_id == group['id'])
    return work.connection.execute(query).first() is not None
