"""Credentials say with which application credential they were made.

Of EC2 keys only their encrypted text has said it. A daemon that starts reads it (``db/credential_rows.py``).
"""

import sqlalchemy as sa

revision = '0004'
down_revision = '0003'


def upgrade() -> None:
    """Add the column. What is no EC2 key was not bound to anything before."""
    from alembic import op
    op.add_column('identity_credentials', sa.Column('application_credential_id', sa.String(64)))
    table = sa.table('identity_credentials', sa.column('type', sa.String),
                     sa.column('application_credential_id', sa.String))
    op.execute(table.update().where(table.c.type != 'ec2').values(application_credential_id=''))
