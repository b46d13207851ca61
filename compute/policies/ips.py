"""Who may read the addresses of a server."""

from __future__ import annotations

from compute.policies.rules import READER, rule

INDEX, SHOW = 'os_compute_api:ips:index', 'os_compute_api:ips:show'

RULES = (
    rule(INDEX, READER, 'List the addresses of a server.', 'GET /servers/{server_id}/ips'),
    rule(SHOW, READER, 'List the addresses of a server in one network.',
         'GET /servers/{server_id}/ips/{network_label}'),
)
