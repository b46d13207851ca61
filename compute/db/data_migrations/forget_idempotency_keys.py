"""Idempotency keys were kept in clear with the operations; now they are in a table where nobody can read them.

What is forgotten here would not be found any more: the new table is asked, and a key counts for a day only.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from compute.db.data_migrations.data_migration import DataMigration
from compute.db.tables import operations as table


def step(connection: Connection, limit: int) -> int:
    """Forget the keys of some operations."""
    ids = [row.id for row in connection.execute(
        sa.select(table.c.id).where(table.c.idempotency_key.is_not(None)).order_by(table.c.id).limit(limit))]
    if ids:
        connection.execute(table.update().where(table.c.id.in_(ids)).values(idempotency_key=None))
    return len(ids)


def left(connection: Connection) -> int:
    """Count the operations that have one."""
    return int(connection.execute(sa.select(sa.func.count()).where(table.c.idempotency_key.is_not(None))).scalar_one())


FORGET_IDEMPOTENCY_KEYS = DataMigration(
    'forget_idempotency_keys', 'keys that clients sent are no longer kept where they can be read', step, left)
