"""The tables of the controller's store, one file per group of nouns."""

from __future__ import annotations

from compute.db.tables.audits import audits
from compute.db.tables.flavors import flavors, keypairs
from compute.db.tables.hosts import hosts, services
from compute.db.tables.idempotency import idempotency
from compute.db.tables.instances import claims, group_seats, injected_files, instances, server_groups
from compute.db.tables.meta import metadata
from compute.db.tables.migrations import migrations
from compute.db.tables.operations import leases, operation_events, operations
from compute.db.tables.quotas import quota_classes, quotas, usages

__all__ = ['audits', 'claims', 'flavors', 'group_seats', 'hosts', 'idempotency', 'injected_files', 'instances',
           'keypairs', 'leases', 'metadata', 'migrations', 'operation_events', 'operations', 'quota_classes', 'quotas',
           'server_groups', 'services', 'usages']
