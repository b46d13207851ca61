"""What the conductor decides of an operation is kept beside its arguments."""

import sqlalchemy as sa

revision = '0006'
down_revision = '0005'


def upgrade() -> None:
    """Add the column. An operation without a plan has none yet."""
    from alembic import op
    op.add_column('operations', sa.Column('plan', sa.JSON))
