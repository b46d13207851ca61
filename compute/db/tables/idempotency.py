"""What was asked with an ``Idempotency-Key`` and answered. Every store has such a table, for its own API's requests.

Stores may share a database, so that each has its name in the table's. Nothing in a row can be read without the key that
the client sent: ``id`` and ``fingerprint`` are derived from it, ``answer`` is encrypted with it
(``compute/rest/idempotency.py``).
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from compute.db.tables.meta import Time, metadata

_Blob = sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), 'mysql', 'mariadb')


def idempotency_table(tables: sa.MetaData, store: str) -> sa.Table:
    """Return the table of a store. An ``answer`` of NULL: the effect is there, its answer is not, or not yet.

    The stores' revisions call this too, so it stays as it was released: what comes later is added where it is called.
    """
    return sa.Table(
        f'{store}_idempotency', tables,
        sa.Column('id', sa.String(64), primary_key=True),
        sa.Column('fingerprint', sa.String(64), nullable=False),
        sa.Column('request_id', sa.String(64), nullable=False),
        sa.Column('created_at', Time, nullable=False),
        sa.Column('answer', _Blob),
        sa.Index(f'{store}_idempotency_age', 'created_at'),
        mysql_charset='utf8mb4', mysql_engine='InnoDB')


idempotency = idempotency_table(metadata, 'compute')
