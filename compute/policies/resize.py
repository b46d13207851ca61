"""Who may resize a server."""

from __future__ import annotations

from compute.policies.rules import ACTION, MEMBER, rule

RESIZE = 'os_compute_api:servers:resize'

RULES = (rule(RESIZE, MEMBER, 'Resize a server.', ACTION + '(resize)'),)
