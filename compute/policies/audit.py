"""Who may see what the last audit found."""

from __future__ import annotations

from compute.policies.rules import ADMIN, rule

SHOW = 'os_compute_api:audit:show'

RULES = (
    rule(SHOW, ADMIN, 'See what the last audit of the control plane found.', 'GET /audit'),
)
