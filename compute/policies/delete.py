"""Who may delete a server."""

from __future__ import annotations

from compute.policies.rules import MEMBER, rule

DELETE = 'os_compute_api:servers:delete'

RULES = (rule(DELETE, MEMBER, 'Delete a server.', 'DELETE /servers/{id}'),)
