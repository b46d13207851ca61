"""Who may see and set the quotas that projects have by default."""

from __future__ import annotations

from compute.policies.rules import ADMIN, rule

_NAME = 'os_compute_api:os-quota-class-sets'
SHOW, UPDATE = f'{_NAME}:show', f'{_NAME}:update'

RULES = (
    rule(SHOW, ADMIN, 'Show the quotas of a class.', 'GET /os-quota-class-sets/{quota_class}'),
    rule(UPDATE, ADMIN, 'Set the quotas of a class.', 'PUT /os-quota-class-sets/{quota_class}'),
)
