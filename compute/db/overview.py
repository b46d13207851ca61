"""What an operator wants to see at a glance: daemons with their problems, hosts with their use, open operations."""

from __future__ import annotations

import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from compute.db.tables import hosts, operations, services
from compute.objects.operation import OPEN
from compute.objects.value import now

_SERVICE = (services.c.host, services.c.binary, services.c.zone, services.c.disabled, services.c.forced_down,
            services.c.last_seen_at, services.c.problems)
_HOST = (hosts.c.host, hosts.c.availability_zone, hosts.c.hypervisor_type, hosts.c.running_vms, hosts.c.vcpus_used,
         hosts.c.vcpus_limit, hosts.c.memory_mb_used, hosts.c.memory_mb_limit, hosts.c.disk_gb_used,
         hosts.c.disk_gb_limit)
_OPERATION = (operations.c.id, operations.c.kind, operations.c.instance_uuid, operations.c.state, operations.c.stage,
              operations.c.host, operations.c.attempt, operations.c.created_at, operations.c.deadline_at,
              operations.c.owner, operations.c.lease_until, operations.c.request_id)


def daemons(connection: Connection) -> list[dict[str, Any]]:
    """Return the daemons that report themselves, by host and name."""
    return _rows(connection, sa.select(*_SERVICE).order_by(services.c.host, services.c.binary))


def capacity(connection: Connection) -> list[dict[str, Any]]:
    """Return the hosts with what may be claimed of them and what is."""
    return _rows(connection, sa.select(*_HOST).order_by(hosts.c.host))


def open_operations(connection: Connection, before: datetime.datetime, limit: int) -> list[dict[str, Any]]:
    """Return operations that were opened before a time and have not ended, the oldest first."""
    return _rows(connection, sa.select(*_OPERATION).where(
        operations.c.state.in_(OPEN), operations.c.created_at < before).order_by(
        operations.c.id).limit(limit))


def open_by_kind(connection: Connection) -> list[dict[str, Any]]:
    """Return how many operations are open by kind and state, since when, and how many are past their deadline."""
    late = sa.case((operations.c.deadline_at < now(), 1), else_=0)
    return _rows(connection, sa.select(
        operations.c.kind, operations.c.state, sa.func.count().label('number'),
        sa.func.min(operations.c.created_at).label('oldest'), sa.func.sum(late).label('overdue')).where(
        operations.c.state.in_(OPEN)).group_by(operations.c.kind, operations.c.state))


def most_overdue(connection: Connection) -> datetime.datetime | None:
    """Return the oldest deadline of an open operation, or None."""
    return connection.execute(sa.select(sa.func.min(operations.c.deadline_at)).where(
        operations.c.state.in_(OPEN))).scalar()


def _rows(connection: Connection, query: sa.sql.Select[Any]) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in connection.execute(query)]
