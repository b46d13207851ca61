"""Who may start a server."""

from __future__ import annotations

from compute.policies.rules import ACTION, MEMBER, rule

START = 'os_compute_api:servers:start'

RULES = (rule(START, MEMBER, 'Start a server that was stopped.', ACTION + '(os-start)'),)
