"""Who may delete a server whatever it is doing."""

from __future__ import annotations

from compute.policies.rules import ACTION, MEMBER, rule

FORCE_DELETE = 'os_compute_api:os-deferred-delete:force'

RULES = (rule(FORCE_DELETE, MEMBER, 'Delete a server at once, also one that was deleted softly.',
              ACTION + '(forceDelete)'),)
