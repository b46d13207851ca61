"""Who may unpause a server."""

from __future__ import annotations

from compute.policies.rules import ACTION, MEMBER, rule

UNPAUSE = 'os_compute_api:os-pause-server:unpause'

RULES = (rule(UNPAUSE, MEMBER, 'Resume a paused server.', ACTION + '(unpause)'),)
