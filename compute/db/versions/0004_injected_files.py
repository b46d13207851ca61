"""Files that users put into servers are kept as long as their servers."""

import sqlalchemy as sa

from compute.db.tables.meta import BigId, Text

revision = '0004'
down_revision = '0003'


def upgrade() -> None:
    """Create the table."""
    from alembic import op
    op.create_table(
        'injected_files',
        sa.Column('id', BigId, primary_key=True, autoincrement=True),
        sa.Column('instance_uuid', sa.String(36), nullable=False),
        sa.Column('number', sa.Integer, nullable=False),
        sa.Column('content', Text, nullable=False),
        sa.UniqueConstraint('instance_uuid', 'number', name='one_file_per_number'))
