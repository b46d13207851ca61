"""The first schema, as it was released: later changes are in later revisions."""

import sqlalchemy as sa

from compute.db.tables.meta import Time

revision = '0001'
down_revision = None
metadata = sa.MetaData()

sa.Table(
    'images', metadata,
    sa.Column('id', sa.String(36), primary_key=True),
    sa.Column('name', sa.String(255)),
    sa.Column('owner', sa.String(255)),
    sa.Column('status', sa.String(30), nullable=False),
    sa.Column('visibility', sa.String(20), nullable=False),
    sa.Column('protected', sa.Boolean, nullable=False),
    sa.Column('os_hidden', sa.Boolean, nullable=False),
    sa.Column('disk_format', sa.String(20)),
    sa.Column('container_format', sa.String(20)),
    sa.Column('size', sa.BigInteger),
    sa.Column('virtual_size', sa.BigInteger),
    sa.Column('checksum', sa.String(32)),
    sa.Column('os_hash_algo', sa.String(64)),
    sa.Column('os_hash_value', sa.String(128)),
    sa.Column('min_disk', sa.Integer, nullable=False),
    sa.Column('min_ram', sa.Integer, nullable=False),
    sa.Column('upload_id', sa.String(36)),
    sa.Column('created_at', Time, nullable=False),
    sa.Column('updated_at', Time, nullable=False),
    sa.Index('images_created', 'created_at', 'id'),
    sa.Index('images_owner', 'owner'),
    sa.Index('images_status', 'status'),
    sa.Index('images_visibility', 'visibility'),
    mysql_charset='utf8mb4',
    mysql_collate='utf8mb4_bin',
    mariadb_charset='utf8mb4',
    mariadb_collate='utf8mb4_bin',
)
sa.Table(
    'image_members', metadata,
    sa.Column('image_id', sa.String(36), sa.ForeignKey('images.id', ondelete='CASCADE'), primary_key=True),
    sa.Column('member_id', sa.String(255), primary_key=True),
    sa.Column('status', sa.String(20), nullable=False),
    sa.Column('created_at', Time, nullable=False),
    sa.Column('updated_at', Time, nullable=False),
    sa.Index('image_members_member', 'member_id'),
    mysql_charset='utf8mb4',
    mysql_collate='utf8mb4_bin',
    mariadb_charset='utf8mb4',
    mariadb_collate='utf8mb4_bin',
)
sa.Table(
    'image_properties', metadata,
    sa.Column('image_id', sa.String(36), sa.ForeignKey('images.id', ondelete='CASCADE'), primary_key=True),
    sa.Column('name', sa.String(255), primary_key=True),
    sa.Column('value', sa.Text, nullable=False),
    mysql_charset='utf8mb4',
    mysql_collate='utf8mb4_bin',
    mariadb_charset='utf8mb4',
    mariadb_collate='utf8mb4_bin',
)
sa.Table(
    'image_tags', metadata,
    sa.Column('image_id', sa.String(36), sa.ForeignKey('images.id', ondelete='CASCADE'), primary_key=True),
    sa.Column('tag', sa.String(255), primary_key=True),
    mysql_charset='utf8mb4',
    mysql_collate='utf8mb4_bin',
    mariadb_charset='utf8mb4',
    mariadb_collate='utf8mb4_bin',
)


def upgrade() -> None:
    """Create every table."""
    from alembic import op
    metadata.create_all(op.get_bind())
