"""Who may work with key pairs. They belong to users, not to projects."""

from __future__ import annotations

from compute.policies.rules import USER, rule

_NAME = 'os_compute_api:os-keypairs'
INDEX, CREATE, DELETE, SHOW = f'{_NAME}:index', f'{_NAME}:create', f'{_NAME}:delete', f'{_NAME}:show'

RULES = (
    rule(INDEX, USER, 'List the key pairs of a user.', 'GET /os-keypairs'),
    rule(CREATE, USER, 'Import or make a key pair for a user.', 'POST /os-keypairs'),
    rule(DELETE, USER, 'Delete a key pair of a user.', 'DELETE /os-keypairs/{keypair_name}'),
    rule(SHOW, USER, 'Show a key pair of a user.', 'GET /os-keypairs/{keypair_name}'),
)
