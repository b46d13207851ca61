"""Who may see host aggregates."""

from __future__ import annotations

from compute.policies.rules import ADMIN, rule

INDEX = 'os_compute_api:os-aggregates:index'

RULES = (rule(INDEX, ADMIN, 'List host aggregates.', 'GET /os-aggregates'),)
