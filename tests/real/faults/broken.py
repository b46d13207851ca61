"""A product without one of the ledger's checks, in the process of a conductor: to see that the fault tests notice.

Each is a switch: ``without-expiry`` (a lease that ran out is not seen), ``without-lease`` (who asks gets an operation,
whoever holds it), ``without-incarnation`` (a process that was replaced is heard like its successor).
"""

from __future__ import annotations

from typing import Any

from tests.real.faults.points import Points
from tests.real.faults.wrapping import wrap

EXPIRY, LEASE, INCARNATION = 'without-expiry', 'without-lease', 'without-incarnation'


def install(points: Points, name: str) -> None:
    """Make the checks such that a switch turns them off."""
    _leases(points)
    _holding(points)
    _incarnations(points)


def _leases(points: Points) -> None:
    from compute.db import operations

    def overdue(original: Any, connection: Any, limit: int, *after: Any) -> Any:
        return [] if points.is_on(EXPIRY) else original(connection, limit, *after)

    def lease(original: Any, connection: Any, operation_id: int, *who: Any, **more: Any) -> Any:
        if not points.is_on(LEASE):
            return original(connection, operation_id, *who, **more)
        owner, incarnation, seconds, *_ = who
        taken = operations.seize(connection, operation_id, owner, incarnation, seconds)
        return operations.get(connection, operation_id) if taken else None
    wrap(operations, 'overdue', overdue)
    wrap(operations, 'lease', lease)


def _holding(points: Points) -> None:
    import sqlalchemy as sa

    from compute.db import operations
    from compute.db.tables import operations as table

    def is_held(original: Any, connection: Any, operation_id: int, owner: str, incarnation: str) -> Any:
        if not points.is_on(LEASE) and not points.is_on(INCARNATION):
            return original(connection, operation_id, owner, incarnation)
        whose = [] if points.is_on(LEASE) else [table.c.owner == owner]
        row = connection.execute(sa.select(table).where(
            table.c.id == operation_id, table.c.state.in_(('running', 'undoing')), *whose).with_for_update()).first()
        return operations.from_row(row) if row is not None else None
    wrap(operations, 'is_held', is_held)


def _incarnations(points: Points) -> None:
    from compute.conductor import reports
    from compute.db import services

    def touch(original: Any, *args: Any) -> Any:
        return points.is_on(INCARNATION) or original(*args)

    def current(original: Any, *args: Any) -> None:
        if not points.is_on(INCARNATION):
            original(*args)
    wrap(services, 'touch', touch)
    wrap(reports.ReportsEndpoint, '_current', current)
