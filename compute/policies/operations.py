"""Who may see operations as the ledger has them, and what of them."""

from __future__ import annotations

from compute.policies.rules import ADMIN, READER, rule

_NAME = 'os_compute_api:operations'
LIST, SHOW, LIST_ALL = f'{_NAME}:list', f'{_NAME}:show', f'{_NAME}:list_all'
OWNER, DETAILS = f'{_NAME}:owner', f'{_NAME}:details'
_OF_SERVER = 'GET /servers/{server_id}/operations'
_ONE = f'{_OF_SERVER}/{{operation_id}}'

RULES = (
    rule(LIST, READER, 'List the operations on a server.', _OF_SERVER),
    rule(SHOW, READER, 'Show one operation on a server with its stages.', _ONE),
    rule(LIST_ALL, ADMIN, 'List operations on the servers of all projects.', 'GET /operations'),
    rule(OWNER, ADMIN, 'See by name the host and the daemon that work on an operation, and filter by that host.',
         _OF_SERVER, _ONE, 'GET /operations'),
    rule(DETAILS, ADMIN, 'Show the messages of hosts and services of a failed operation.', _OF_SERVER, _ONE),
)
