"""Who may resume a server."""

from __future__ import annotations

from compute.policies.rules import ACTION, MEMBER, rule

RESUME = 'os_compute_api:os-suspend-server:resume'

RULES = (rule(RESUME, MEMBER, 'Resume a suspended server.', ACTION + '(resume)'),)
