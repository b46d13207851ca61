"""Who may work with server groups."""

from __future__ import annotations

from compute.policies.rules import ADMIN, MEMBER, READER, rule

_NAME = 'os_compute_api:os-server-groups'
INDEX, SHOW, ALL_PROJECTS = f'{_NAME}:index', f'{_NAME}:show', f'{_NAME}:index:all_projects'
CREATE, DELETE = f'{_NAME}:create', f'{_NAME}:delete'

RULES = (
    rule(CREATE, MEMBER, 'Create a server group.', 'POST /os-server-groups'),
    rule(DELETE, MEMBER, 'Delete a server group; its servers stay.', 'DELETE /os-server-groups/{server_group_id}'),
    rule(INDEX, READER, 'List the server groups of the project.', 'GET /os-server-groups'),
    rule(ALL_PROJECTS, ADMIN, 'List the server groups of all projects (query all_projects).', 'GET /os-server-groups'),
    rule(SHOW, READER, 'Show a server group.', 'GET /os-server-groups/{server_group_id}'),
)
