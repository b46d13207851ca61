"""Names of quota classes, and ids of projects and users in quotas, usages and key pairs, have 255 characters."""

import sqlalchemy as sa

revision = '0005'
down_revision = '0004'

_COLUMNS = {'quota_classes': ('name',), 'quotas': ('project_id', 'user_id'), 'usages': ('project_id',),
            'keypairs': ('user_id',)}


def upgrade() -> None:
    """Widen the columns. SQLite copies the tables."""
    from alembic import op
    for table, columns in _COLUMNS.items():
        with op.batch_alter_table(table) as batch:
            for column in columns:
                default = '' if (table, column) == ('quotas', 'user_id') else None
                batch.alter_column(column, existing_type=sa.String(64), type_=sa.String(255), existing_nullable=False,
                                   existing_server_default=default)
