"""What was asked with an Idempotency-Key is kept; operations are found by request."""

import sqlalchemy as sa

from compute.db.tables.idempotency import idempotency_table

revision = '0002'
down_revision = '0001'


def upgrade() -> None:
    """Create the table, and the index of operations by request."""
    from alembic import op
    idempotency_table(sa.MetaData(), 'compute').create(op.get_bind())
    op.create_index('operations_of_request', 'operations', ['request_id'])
