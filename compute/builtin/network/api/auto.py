"""``networks: auto``: the network of a project that does not choose one."""

from __future__ import annotations

from typing import Any

from compute.builtin.network.control import auto
from compute.rest.call import Call
from compute.rest.fields import fields
from compute.rest.op import Op, Query, Resource


def show(call: Call) -> dict[str, Any]:
    """Return the project's network, made now if it has none; ``fields=dry-run`` only says whether that would work."""
    project_id = call.target['project_id']
    if 'dry-run' in call.query.get('fields', []):
        call.app.do(lambda work: auto.find(work, project_id, dry_run=True))
        return _answer('dry-run=pass', project_id)
    return _answer(call.app.do(lambda work: auto.find(work, project_id)), project_id)


def delete(call: Call) -> None:
    """Delete the network that was made for the project."""
    call.app.do(lambda work: auto.delete(work, call.target['project_id']))


def _answer(network_id: str, project_id: str) -> dict[str, Any]:
    return {'auto_allocated_topology': {'id': network_id, 'tenant_id': project_id, 'project_id': project_id}}


def _target(call: Call) -> dict[str, Any]:
    named = call.path['project_id']
    return {'project_id': call.context.project_id if named in ('None', 'null', 'default') else named}


RESOURCE = Resource('auto-allocated-topology', (
    Op('GET', '/auto-allocated-topology/{project_id}', show, 'get_auto_allocated_topology', loads=_target,
       query=Query(fields(extra=True), repeats=('fields',))),
    Op('DELETE', '/auto-allocated-topology/{project_id}', delete, 'delete_auto_allocated_topology', 204,
       loads=_target)))
