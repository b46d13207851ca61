"""Who may lock a server."""

from __future__ import annotations

from compute.policies.rules import ACTION, MEMBER, rule

LOCK = 'os_compute_api:os-lock-server:lock'

RULES = (rule(LOCK, MEMBER, 'Lock a server.', ACTION + '(lock)'),)
