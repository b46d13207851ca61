"""What was asked with an Idempotency-Key is kept."""

import sqlalchemy as sa

from compute.db.tables.idempotency import idempotency_table

revision = '0002'
down_revision = '0001'


def upgrade() -> None:
    """Create the table."""
    from alembic import op
    idempotency_table(sa.MetaData(), 'network').create(op.get_bind())
