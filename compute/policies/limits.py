"""Who may read limits."""

from __future__ import annotations

from compute.policies.rules import ADMIN, ANY, rule

OWN = 'os_compute_api:limits'
OTHER = f'{OWN}:other_project'

RULES = (
    rule(OWN, ANY, 'Show the limits of the own project and what is used of them.', 'GET /limits'),
    rule(OTHER, ADMIN, 'Show the limits of another project (query tenant_id).', 'GET /limits'),
)
