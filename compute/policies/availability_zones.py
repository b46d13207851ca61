"""Who may see availability zones."""

from __future__ import annotations

from compute.policies.rules import ADMIN, ANY, rule

_NAME = 'os_compute_api:os-availability-zone'
LIST, DETAIL = f'{_NAME}:list', f'{_NAME}:detail'

RULES = (
    rule(LIST, ANY, 'List the zones that servers may ask for.', 'GET /os-availability-zone'),
    rule(DETAIL, ADMIN, 'List the zones with their hosts and daemons.', 'GET /os-availability-zone/detail'),
)
