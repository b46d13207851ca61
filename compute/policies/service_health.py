"""Who may see how the daemons of the controller are, with reasons that name what is inside."""

from __future__ import annotations

from compute.policies.rules import ADMIN, rule

LIST = 'os_compute_api:service-health:list'

RULES = (
    rule(LIST, ADMIN, 'List the daemons: up, degraded or down, and why.', 'GET /service-health'),
)
