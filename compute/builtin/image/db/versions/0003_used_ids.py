"""The ids that images ever had are kept, so that none is given to a second image."""

import sqlalchemy as sa

revision = '0003'
down_revision = '0002'


def upgrade() -> None:
    """Create the table and note the ids of all images that exist."""
    from alembic import op
    ids = op.create_table(
        'image_ids', sa.Column('id', sa.String(36), primary_key=True),
        mysql_charset='utf8mb4', mysql_collate='utf8mb4_bin',
        mariadb_charset='utf8mb4', mariadb_collate='utf8mb4_bin')
    images = sa.table('images', sa.column('id'))
    op.execute(ids.insert().from_select(['id'], sa.select(images.c.id)))
