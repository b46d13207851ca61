"""Who may say which projects see a private flavor."""

from __future__ import annotations

from compute.policies.rules import ADMIN, rule

LIST = 'os_compute_api:os-flavor-access'
ADD, REMOVE = f'{LIST}:add_tenant_access', f'{LIST}:remove_tenant_access'

RULES = (
    rule(LIST, ADMIN, 'List the projects that may use a private flavor.',
         'GET /flavors/{flavor_id}/os-flavor-access'),
    rule(ADD, ADMIN, 'Let a project use a private flavor.', 'POST /flavors/{flavor_id}/action (addTenantAccess)'),
    rule(REMOVE, ADMIN, 'Stop a project from using a private flavor.',
         'POST /flavors/{flavor_id}/action (removeTenantAccess)'),
)
