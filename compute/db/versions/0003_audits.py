"""What audits found is kept."""

import sqlalchemy as sa

from compute.db.tables.meta import BigId, Time

revision = '0003'
down_revision = '0002'


def upgrade() -> None:
    """Create the table."""
    from alembic import op
    op.create_table(
        'audits',
        sa.Column('id', BigId, primary_key=True, autoincrement=True),
        sa.Column('started_at', Time, nullable=False),
        sa.Column('finished_at', Time, nullable=False),
        sa.Column('report', sa.JSON, nullable=False))
