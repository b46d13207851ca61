"""Who may suspend a server."""

from __future__ import annotations

from compute.policies.rules import ACTION, MEMBER, rule

SUSPEND = 'os_compute_api:os-suspend-server:suspend'

RULES = (rule(SUSPEND, MEMBER, 'Suspend a server.', ACTION + '(suspend)'),)
