"""Who may see what was done to a server, and how."""

from __future__ import annotations

from compute.policies.rules import ADMIN, READER, rule

_NAME = 'os_compute_api:os-instance-actions'
LIST, SHOW = f'{_NAME}:list', f'{_NAME}:show'
EVENTS, DETAILS = f'{_NAME}:events', f'{_NAME}:events:details'
_ONE = 'GET /servers/{id}/os-instance-actions/{request_id}'

RULES = (
    rule(LIST, READER, 'List the actions on a server.', 'GET /servers/{id}/os-instance-actions'),
    rule(SHOW, READER, 'Show one action on a server; from 2.51 with its steps.', _ONE),
    rule(EVENTS, ADMIN, 'See the steps before 2.51, and the trace and plain host name of a step.', _ONE),
    rule(DETAILS, ADMIN, 'See why a step failed, from 2.84.', _ONE),
)
