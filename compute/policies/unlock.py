"""Who may unlock a server."""

from __future__ import annotations

from compute.policies.rules import ACTION, ADMIN, MEMBER, rule

UNLOCK = 'os_compute_api:os-lock-server:unlock'
OVERRIDE = f'{UNLOCK}:unlock_override'

RULES = (
    rule(UNLOCK, MEMBER, 'Unlock a server.', ACTION + '(unlock)'),
    rule(OVERRIDE, ADMIN, 'Unlock a server that an administrator locked.', ACTION + '(unlock)'),
)
