"""Who may see migrations of servers."""

from __future__ import annotations

from compute.policies.rules import ADMIN, MANAGER, rule

INDEX = 'os_compute_api:os-migrations:index'
ALL_PROJECTS, HOST = f'{INDEX}:all_projects', f'{INDEX}:host'
OF_SERVER, OF_SERVER_HOST = 'os_compute_api:servers:migrations:index', 'os_compute_api:servers:migrations:index:host'
SHOW = 'os_compute_api:servers:migrations:show'
_LIST, _BASE = 'GET /os-migrations', 'GET /servers/{id}/migrations'

RULES = (
    rule(INDEX, MANAGER, 'List the migrations of the servers of a project.', _LIST),
    rule(ALL_PROJECTS, ADMIN, 'List the migrations of all projects.', _LIST),
    rule(HOST, ADMIN, 'See the hosts of migrations in the list, and filter by them.', _LIST),
    rule(OF_SERVER, MANAGER, 'List the live migrations of a server that are in progress.', _BASE),
    rule(OF_SERVER_HOST, ADMIN, 'See the hosts of the live migrations of a server.', _BASE),
    rule(SHOW, ADMIN, 'Show a live migration of a server that is in progress.', _BASE + '/{migration_id}'),
)
