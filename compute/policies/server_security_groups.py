"""Who may read the security groups of a server."""

from __future__ import annotations

from compute.policies.rules import READER, rule

LIST = 'os_compute_api:os-security-groups:list'

RULES = (rule(LIST, READER, 'List the security groups of a server.', 'GET /servers/{server_id}/os-security-groups'),)
