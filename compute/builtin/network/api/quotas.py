"""Quotas of projects."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from compute.builtin.network.api.schema import BOOL
from compute.builtin.network.control import projects
from compute.builtin.network.control.changes import Work
from compute.builtin.network.db import tables as t
from compute.exception import Invalid
from compute.rest.call import Call
from compute.rest.fields import fields
from compute.rest.op import Body, Op, Resource

_LIMIT = {'anyOf': [{'type': 'integer', 'minimum': -1, 'maximum': 2147483647},
                    {'type': 'string', 'pattern': '^(-1|[0-9]{1,9})$'}]}
UPDATE = Body('quota', fields({**{name: _LIMIT for name in projects.RESOURCES}, 'force': BOOL, 'check_limit': BOOL,
                               'project_id': {'type': 'string'}, 'tenant_id': {'type': 'string'}}))


def list_(call: Call) -> dict[str, Any]:
    """List the projects that have limits of their own."""
    def read(work: Work) -> list[dict[str, Any]]:
        named = sorted(set(work.connection.execute(sa.select(t.quotas.c.project_id)).scalars()))
        return [{**projects.limits(work, name), 'project_id': name, 'tenant_id': name} for name in named]
    return {'quotas': call.app.look(read)}


def show(call: Call) -> dict[str, Any]:
    """Show a project's limits."""
    return {'quota': call.app.look(lambda work: projects.limits(work, call.path['project_id']))}


def defaults(call: Call) -> dict[str, Any]:
    """Show the limits of projects without their own."""
    return {'quota': call.app.look(projects.default_limits)}


def details(call: Call) -> dict[str, Any]:
    """Show a project's limits with what it uses."""
    def read(work: Work) -> dict[str, Any]:
        found = projects.limits(work, call.path['project_id'])
        return {name: {'limit': limit, 'used': projects.used(work, call.path['project_id'], name), 'reserved': 0}
                for name, limit in found.items()}
    return {'quota': call.app.look(read)}


def update(call: Call) -> dict[str, Any]:
    """Set limits of a project; with ``check_limit`` none may be below what it uses."""
    project_id = call.path['project_id']
    checked = str(call.body.get('check_limit', False)).lower() == 'true'
    wanted = {name: int(value) for name, value in call.body.items() if name in projects.RESOURCES}

    def change(work: Work) -> dict[str, int]:
        projects.lock(work, project_id)
        for name, limit in wanted.items():
            if checked and 0 <= limit < (used := projects.used(work, project_id, name)):
                raise Invalid(f'{name}: a limit of {limit} is below the {used} in use',
                              details={'type': 'InvalidQuotaValue'})
            where = (t.quotas.c.project_id == project_id, t.quotas.c.resource == name)
            work.connection.execute(t.quotas.delete().where(*where))
            work.connection.execute(t.quotas.insert().values(project_id=project_id, resource=name, hard_limit=limit))
        return projects.limits(work, project_id)
    return {'quota': call.app.do(change)}


def delete(call: Call) -> None:
    """Give a project the default limits."""
    call.app.do(lambda work: work.connection.execute(
        t.quotas.delete().where(t.quotas.c.project_id == call.path['project_id'])) and None)


def own_project(call: Call) -> dict[str, Any]:
    """Say which project the token is for."""
    return {'tenant': {'tenant_id': call.context.project_id}, 'project': {'project_id': call.context.project_id}}


def _target(call: Call) -> dict[str, Any]:
    return {'project_id': call.path['project_id']}


_ONE = '/quotas/{project_id}'
RESOURCE = Resource('quotas', (
    Op('GET', '/quotas', list_, 'get_quotas'),
    Op('GET', '/quotas/tenant', own_project, 'get_quota'),
    Op('GET', '/quotas/project', own_project, 'get_quota'),
    Op('GET', _ONE, show, 'get_quota', loads=_target),
    Op('GET', f'{_ONE}/default', defaults, 'get_quota', loads=_target),
    Op('GET', f'{_ONE}/details', details, 'get_quota', loads=_target),
    Op('PUT', _ONE, update, 'update_quota', body=UPDATE, loads=_target),
    Op('DELETE', _ONE, delete, 'delete_quota', 204, loads=_target)))
