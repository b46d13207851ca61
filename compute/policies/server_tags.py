"""Who may read and set the tags of a server."""

from __future__ import annotations

from compute.policies.rules import MEMBER, READER, rule

_NAME = 'os_compute_api:os-server-tags'
INDEX, SHOW, UPDATE_ALL = f'{_NAME}:index', f'{_NAME}:show', f'{_NAME}:update_all'
UPDATE, DELETE, DELETE_ALL = f'{_NAME}:update', f'{_NAME}:delete', f'{_NAME}:delete_all'
_ALL, _ONE = '/servers/{server_id}/tags', '/servers/{server_id}/tags/{tag}'

RULES = (
    rule(INDEX, READER, 'List the tags of a server.', f'GET {_ALL}'),
    rule(SHOW, READER, 'Check whether a server has a tag.', f'GET {_ONE}'),
    rule(UPDATE_ALL, MEMBER, 'Replace the tags of a server.', f'PUT {_ALL}'),
    rule(UPDATE, MEMBER, 'Add a tag to a server.', f'PUT {_ONE}'),
    rule(DELETE, MEMBER, 'Remove a tag from a server.', f'DELETE {_ONE}'),
    rule(DELETE_ALL, MEMBER, 'Remove all tags from a server.', f'DELETE {_ALL}'),
)
