"""Who may migrate a server."""

from __future__ import annotations

from compute.policies.rules import ACTION, ADMIN, MANAGER, rule

MIGRATE = 'os_compute_api:os-migrate-server:migrate'
MIGRATE_HOST = 'os_compute_api:os-migrate-server:migrate:host'

RULES = (
    rule(MIGRATE, MANAGER, 'Migrate a server to another host while it is off.', ACTION + '(migrate)'),
    rule(MIGRATE_HOST, ADMIN, 'Name the host to which a server is migrated.', ACTION + '(migrate)'),
)
