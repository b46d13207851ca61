"""Who may stop a server."""

from __future__ import annotations

from compute.policies.rules import ACTION, MEMBER, rule

STOP = 'os_compute_api:servers:stop'

RULES = (rule(STOP, MEMBER, 'Stop a server.', ACTION + '(os-stop)'),)
