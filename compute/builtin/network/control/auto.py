"""The network of a project that does not want to choose one (``networks: auto``)."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from compute.builtin.network.control import networks, projects, subnets
from compute.builtin.network.control.changes import Work
from compute.builtin.network.db import tables as t
from compute.exception import Conflict, NotFound

_NAME = 'auto_allocated_network'


def find(work: Work, project_id: str, *, dry_run: bool = False) -> str | None:
    """Return the id of the project's network, made now if it has none; None where a dry run would make one.

    In this order: the one made for it before, the deployment's default network, its only own one, the only shared one.
    :raises Conflict: there are several to choose from, or none and none may be made.
    """
    row = projects.lock(work, project_id)
    if row.auto_network_id is not None:
        return str(row.auto_network_id)
    if (found := _existing(work, project_id)) is not None:
        return found
    if not work.options.auto_allocate:
        raise _failure(f'project {project_id} has no network and [network] auto_allocate is off')
    return None if dry_run else _make(work, project_id)


def delete(work: Work, project_id: str) -> None:
    """Delete the network that was made for a project. :raises NotFound: none was. :raises Conflict: it is in use."""
    row = projects.lock(work, project_id)
    if row.auto_network_id is None:
        raise NotFound(f'Project {project_id} has no network that was made for it.')
    networks.delete(work, row.auto_network_id)


def _failure(reason: str) -> Conflict:
    return Conflict(f'Deployment error: {reason}.', details={'type': 'AutoAllocationFailure'})


def _existing(work: Work, project_id: str) -> str | None:
    columns = t.networks.c
    own = columns.project_id == project_id
    default = _ids(work, columns.is_default.is_(True), sa.or_(own, columns.shared.is_(True)))
    if default:
        return default[0]
    for clause in (own, columns.shared.is_(True)):
        found = _ids(work, clause, columns.external.is_(False))
        if len(found) > 1:
            raise _failure(f'project {project_id} can choose from {len(found)} networks ({", ".join(found[:5])}); '
                           'name one, or make one the default')
        if found:
            return found[0]
    return None


def _ids(work: Work, *clauses: Any) -> list[str]:
    with_subnets = t.networks.c.id.in_(sa.select(t.subnets.c.network_id))
    return list(work.connection.execute(
        sa.select(t.networks.c.id).where(with_subnets, *clauses).order_by(t.networks.c.id)).scalars())


def _make(work: Work, project_id: str) -> str:
    network = networks.create(work, {'project_id': project_id, 'name': _NAME,
                                     'description': 'Made because a server asked for any network'})
    subnets.create(work, {
        'project_id': project_id, 'network_id': network['id'], 'name': 'auto_allocated_subnet_v4',
        'cidr': work.options.auto_allocate_cidr, 'ip_version': 4, 'dns_nameservers': work.options.auto_allocate_dns})
    projects.change(work, project_id, auto_network_id=network['id'])
    return str(network['id'])
