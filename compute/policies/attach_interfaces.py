"""Who may see the ports of a server."""

from __future__ import annotations

from compute.policies.rules import READER, rule

LIST, SHOW = 'os_compute_api:os-attach-interfaces:list', 'os_compute_api:os-attach-interfaces:show'

RULES = (
    rule(LIST, READER, 'List the ports of a server.', 'GET /servers/{server_id}/os-interface'),
    rule(SHOW, READER, 'Show a port of a server.', 'GET /servers/{server_id}/os-interface/{port_id}'),
)
