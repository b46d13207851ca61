"""Who may read and set the metadata of a server."""

from __future__ import annotations

from compute.policies.rules import MEMBER, READER, rule

_NAME = 'os_compute_api:server-metadata'
INDEX, SHOW, CREATE = f'{_NAME}:index', f'{_NAME}:show', f'{_NAME}:create'
UPDATE_ALL, UPDATE, DELETE = f'{_NAME}:update_all', f'{_NAME}:update', f'{_NAME}:delete'
_ALL, _ONE = '/servers/{server_id}/metadata', '/servers/{server_id}/metadata/{key}'

RULES = (
    rule(INDEX, READER, 'List the metadata of a server.', f'GET {_ALL}'),
    rule(SHOW, READER, 'Show one item of a server\'s metadata.', f'GET {_ONE}'),
    rule(CREATE, MEMBER, 'Add to the metadata of a server.', f'POST {_ALL}'),
    rule(UPDATE_ALL, MEMBER, 'Replace the metadata of a server.', f'PUT {_ALL}'),
    rule(UPDATE, MEMBER, 'Change one item of a server\'s metadata.', f'PUT {_ONE}'),
    rule(DELETE, MEMBER, 'Remove one item of a server\'s metadata.', f'DELETE {_ONE}'),
)
