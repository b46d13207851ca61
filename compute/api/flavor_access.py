"""Which projects may use a private flavor."""

from __future__ import annotations

from typing import Any

from compute.api.flavors import load
from compute.api.schema import PROJECT_ID
from compute.db import flavors
from compute.exception import Conflict, Invalid, NotFound
from compute.objects.flavor import Flavor
from compute.policies import flavor_access as policy
from compute.rest.call import Call
from compute.rest.fields import Required, fields
from compute.rest.op import Body, Op, Resource
from compute.rest.versions import window

_TENANT = fields(tenant=Required(PROJECT_ID))


def index(call: Call) -> Any:
    """List the projects; a public flavor has no such list (404)."""
    flavor = load(call)
    if flavor.is_public:
        raise NotFound('Access list not available for public flavors.')
    return _view(flavor)


def add(call: Call) -> Any:
    """Let a project use a flavor. For a public one that is refused from 2.7."""
    if call.facts['refuses_public'] and load(call).is_public:
        raise Conflict('Can not add access to a public flavor.')
    project = call.body['tenant']
    if call.app.identity.project_exists(call.context, project) is False:
        raise Invalid(f'Project ID {project} is not a valid project.')
    return _view(_change(call, add_project=project))


def remove(call: Call) -> Any:
    """Stop a project from using a flavor."""
    return _view(_change(call, drop_project=call.body['tenant']))


def _change(call: Call, **change: Any) -> Flavor:
    return call.app.db.transaction(lambda connection: flavors.change(connection, call.path['id'], **change))


def _view(flavor: Flavor) -> dict[str, Any]:
    return {'flavor_access': [{'flavor_id': flavor.flavorid, 'tenant_id': project} for project in flavor.projects]}


RESOURCE = Resource('flavor-access', (
    Op('GET', '/flavors/{id}/os-flavor-access', index, policy=policy.LIST),
    Op('ACTION', 'addTenantAccess', add, body=Body('addTenantAccess', _TENANT), policy=policy.ADD,
       facts={'refuses_public': window('2.7')}),
    Op('ACTION', 'removeTenantAccess', remove, body=Body('removeTenantAccess', _TENANT), policy=policy.REMOVE),
), actions='/flavors/{id}/action')
