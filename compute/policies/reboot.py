"""Who may reboot a server."""

from __future__ import annotations

from compute.policies.rules import ACTION, MEMBER, rule

REBOOT = 'os_compute_api:servers:reboot'

RULES = (rule(REBOOT, MEMBER, 'Reboot a server, softly or hard.', ACTION + '(reboot)'),)
