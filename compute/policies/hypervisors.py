"""Who may see hypervisors."""

from __future__ import annotations

from compute.policies.rules import ADMIN, rule

_NAME = 'os_compute_api:os-hypervisors'
LIST, DETAIL, STATISTICS = f'{_NAME}:list', f'{_NAME}:list-detail', f'{_NAME}:statistics'
SHOW, UPTIME, SEARCH, SERVERS = f'{_NAME}:show', f'{_NAME}:uptime', f'{_NAME}:search', f'{_NAME}:servers'

RULES = (
    rule(LIST, ADMIN, 'List hypervisors.', 'GET /os-hypervisors'),
    rule(DETAIL, ADMIN, 'List hypervisors with what they have and what is used.', 'GET /os-hypervisors/detail'),
    rule(STATISTICS, ADMIN, 'Show the sums over all hypervisors.', 'GET /os-hypervisors/statistics'),
    rule(SHOW, ADMIN, 'Show one hypervisor.', 'GET /os-hypervisors/{hypervisor_id}'),
    rule(UPTIME, ADMIN, 'Show how long a hypervisor has been up.', 'GET /os-hypervisors/{hypervisor_id}/uptime'),
    rule(SEARCH, ADMIN, 'Find hypervisors by a part of their name.',
         'GET /os-hypervisors/{hypervisor_hostname_pattern}/search'),
    rule(SERVERS, ADMIN, 'List the servers of hypervisors found by a part of their name.',
         'GET /os-hypervisors/{hypervisor_hostname_pattern}/servers'),
)
