"""Tables of the image store. Names and tags differ by case, so MariaDB gets a binary collation."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from compute.db.tables.idempotency import idempotency_table

metadata = sa.MetaData()
idempotency = idempotency_table(metadata, 'image')
_BINARY: dict[str, Any] = {f'{kind}_{key}': value for kind in ('mysql', 'mariadb')
                           for key, value in (('charset', 'utf8mb4'), ('collate', 'utf8mb4_bin'))}


def _time() -> sa.types.TypeEngine[Any]:
    # Lists are sorted by these; whole seconds, MariaDB's default, would make many images equal.
    return sa.DateTime().with_variant(mysql.DATETIME(fsp=6), 'mysql', 'mariadb')


images = sa.Table(
    'images', metadata,
    sa.Column('id', sa.String(36), primary_key=True),
    sa.Column('name', sa.String(255)),
    sa.Column('owner', sa.String(255)),
    sa.Column('status', sa.String(30), nullable=False),
    sa.Column('visibility', sa.String(20), nullable=False),
    sa.Column('protected', sa.Boolean, nullable=False, default=False),
    sa.Column('os_hidden', sa.Boolean, nullable=False, default=False),
    sa.Column('disk_format', sa.String(20)),
    sa.Column('container_format', sa.String(20)),
    sa.Column('size', sa.BigInteger),
    sa.Column('virtual_size', sa.BigInteger),
    sa.Column('checksum', sa.String(32)),
    sa.Column('os_hash_algo', sa.String(64)),
    sa.Column('os_hash_value', sa.String(128)),
    sa.Column('min_disk', sa.Integer, nullable=False, default=0),
    sa.Column('min_ram', sa.Integer, nullable=False, default=0),
    sa.Column('upload_id', sa.String(36)),
    sa.Column('created_at', _time(), nullable=False),
    sa.Column('updated_at', _time(), nullable=False),
    sa.Index('images_owner', 'owner'),
    sa.Index('images_created', 'created_at', 'id'),
    sa.Index('images_status', 'status'),
    sa.Index('images_visibility', 'visibility'),
    **_BINARY)

used_ids = sa.Table(
    'image_ids', metadata,
    sa.Column('id', sa.String(36), primary_key=True),
    **_BINARY)
"""Every id that an image ever had. Rows are never deleted: an id names one image for good."""

properties = sa.Table(
    'image_properties', metadata,
    sa.Column('image_id', sa.String(36), sa.ForeignKey('images.id', ondelete='CASCADE'), primary_key=True),
    sa.Column('name', sa.String(255), primary_key=True),
    sa.Column('value', sa.Text, nullable=False),
    **_BINARY)

tags = sa.Table(
    'image_tags', metadata,
    sa.Column('image_id', sa.String(36), sa.ForeignKey('images.id', ondelete='CASCADE'), primary_key=True),
    sa.Column('tag', sa.String(255), primary_key=True),
    **_BINARY)

members = sa.Table(
    'image_members', metadata,
    sa.Column('image_id', sa.String(36), sa.ForeignKey('images.id', ondelete='CASCADE'), primary_key=True),
    sa.Column('member_id', sa.String(255), primary_key=True),
    sa.Column('status', sa.String(20), nullable=False),
    sa.Column('created_at', _time(), nullable=False),
    sa.Column('updated_at', _time(), nullable=False),
    sa.Index('image_members_member', 'member_id'),
    **_BINARY)
