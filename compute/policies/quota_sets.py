"""Who may see and set quotas of projects."""

from __future__ import annotations

from compute.policies.rules import ADMIN, ANY, READER, rule

_NAME = 'os_compute_api:os-quota-sets'
SHOW, DETAIL, DEFAULTS = f'{_NAME}:show', f'{_NAME}:detail', f'{_NAME}:defaults'
UPDATE, DELETE = f'{_NAME}:update', f'{_NAME}:delete'

RULES = (
    rule(UPDATE, ADMIN, 'Set quotas of a project or of a user in it.', 'PUT /os-quota-sets/{tenant_id}'),
    rule(DEFAULTS, ANY, 'Show the quotas that a project has if none were set.',
         'GET /os-quota-sets/{tenant_id}/defaults'),
    rule(SHOW, READER, 'Show the quotas of a project.', 'GET /os-quota-sets/{tenant_id}'),
    rule(DELETE, ADMIN, 'Return a project to the default quotas.', 'DELETE /os-quota-sets/{tenant_id}'),
    rule(DETAIL, READER, 'Show the quotas of a project with what is used of them.',
         'GET /os-quota-sets/{tenant_id}/detail'),
)
