"""Who may see and change servers, and which of their attributes. What is done to a server has a file of its own."""

from __future__ import annotations

from compute.policies.rules import ADMIN, MEMBER, READER, rule

_NAME = 'os_compute_api:servers'
INDEX, DETAIL, SHOW, UPDATE = f'{_NAME}:index', f'{_NAME}:detail', f'{_NAME}:show', f'{_NAME}:update'
INDEX_ALL, DETAIL_ALL = f'{_NAME}:index:get_all_tenants', f'{_NAME}:detail:get_all_tenants'
ALL_FILTERS = f'{_NAME}:allow_all_filters'
FLAVOR_EXTRA_SPECS = f'{_NAME}:show:flavor-extra-specs'
HOST_STATUS, HOST_STATUS_UNKNOWN = f'{_NAME}:show:host_status', f'{_NAME}:show:host_status:unknown-only'
ATTRIBUTES = 'os_compute_api:os-extended-server-attributes'

_SHOWN = ('GET /servers/{id}', 'GET /servers/detail', 'PUT /servers/{id}', 'POST /servers/{id}/action (rebuild)')

RULES = (
    rule(INDEX, READER, 'List servers.', 'GET /servers'),
    rule(DETAIL, READER, 'List servers with all their attributes.', 'GET /servers/detail'),
    rule(INDEX_ALL, ADMIN, 'List servers of all projects (query all_tenants).', 'GET /servers'),
    rule(DETAIL_ALL, ADMIN, 'List servers of all projects with all their attributes (query all_tenants).',
         'GET /servers/detail'),
    rule(ALL_FILTERS, ADMIN, 'Filter servers by anything; others have a list of filters.',
         'GET /servers', 'GET /servers/detail'),
    rule(SHOW, READER, 'Show a server.', 'GET /servers/{id}'),
    rule(FLAVOR_EXTRA_SPECS, READER, 'See the extra specs of the flavor in a server, from 2.47.', *_SHOWN),
    rule(HOST_STATUS, ADMIN, 'See how the host of a server is doing, from 2.16.', *_SHOWN),
    rule(HOST_STATUS_UNKNOWN, ADMIN, 'See of a server\'s host only when nothing is known of it, from 2.16.', *_SHOWN),
    rule(ATTRIBUTES, ADMIN, 'See the attributes of a server that tell of the hypervisor and the boot.', *_SHOWN),
    rule(UPDATE, MEMBER, 'Change name, description and the like of a server.', 'PUT /servers/{id}'),
)
