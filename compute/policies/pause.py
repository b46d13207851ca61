"""Who may pause a server."""

from __future__ import annotations

from compute.policies.rules import ACTION, MEMBER, rule

PAUSE = 'os_compute_api:os-pause-server:pause'

RULES = (rule(PAUSE, MEMBER, 'Pause a server.', ACTION + '(pause)'),)
