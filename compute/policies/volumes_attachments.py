"""Who may see the volumes of a server."""

from __future__ import annotations

from compute.policies.rules import READER, rule

INDEX, SHOW = 'os_compute_api:os-volumes-attachments:index', 'os_compute_api:os-volumes-attachments:show'

RULES = (
    rule(INDEX, READER, 'List the volumes of a server.', 'GET /servers/{server_id}/os-volume_attachments'),
    rule(SHOW, READER, 'Show a volume of a server.', 'GET /servers/{server_id}/os-volume_attachments/{volume_id}'),
)
