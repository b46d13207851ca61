"""Who may revert a resize."""

from __future__ import annotations

from compute.policies.rules import ACTION, MEMBER, rule

REVERT_RESIZE = 'os_compute_api:servers:revert_resize'

RULES = (rule(REVERT_RESIZE, MEMBER, 'Revert a resize or a cold migration.', ACTION + '(revertResize)'),)
