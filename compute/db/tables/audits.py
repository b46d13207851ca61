"""What audits found, the last ones."""

from __future__ import annotations

import sqlalchemy as sa

from compute.db.tables.meta import BigId, Json, Time, metadata

audits = sa.Table(
    'audits', metadata,
    sa.Column('id', BigId, primary_key=True, autoincrement=True),
    sa.Column('started_at', Time, nullable=False),
    sa.Column('finished_at', Time, nullable=False),
    sa.Column('report', Json, nullable=False),
)
