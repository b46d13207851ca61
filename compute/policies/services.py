"""Who may see and manage the daemons of the controller."""

from __future__ import annotations

from compute.policies.rules import ADMIN, rule

_NAME = 'os_compute_api:os-services'
LIST, UPDATE, DELETE = f'{_NAME}:list', f'{_NAME}:update', f'{_NAME}:delete'

RULES = (
    rule(LIST, ADMIN, 'List the daemons with their state.', 'GET /os-services'),
    rule(UPDATE, ADMIN, 'Enable, disable or declare down a daemon.', 'PUT /os-services/{service_id}'),
    rule(DELETE, ADMIN, 'Forget a daemon, and with a worker its hypervisor host.', 'DELETE /os-services/{service_id}'),
)
