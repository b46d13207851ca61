"""Who may confirm a resize."""

from __future__ import annotations

from compute.policies.rules import ACTION, MEMBER, rule

CONFIRM_RESIZE = 'os_compute_api:servers:confirm_resize'

RULES = (rule(CONFIRM_RESIZE, MEMBER, 'Confirm a resize or a cold migration.', ACTION + '(confirmResize)'),)
