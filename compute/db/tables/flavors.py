"""Flavors and key pairs."""

from __future__ import annotations

import sqlalchemy as sa

from compute.db.tables.meta import BigId, Json, Text, Time, metadata

flavors = sa.Table(
    'flavors', metadata,
    sa.Column('id', BigId, primary_key=True, autoincrement=True),
    sa.Column('flavorid', sa.String(255), nullable=False, unique=True),
    sa.Column('name', sa.String(255), nullable=False, unique=True),
    sa.Column('vcpus', sa.Integer, nullable=False),
    sa.Column('memory_mb', sa.Integer, nullable=False),
    sa.Column('root_gb', sa.Integer, nullable=False),
    sa.Column('ephemeral_gb', sa.Integer, nullable=False),
    sa.Column('swap_mb', sa.Integer, nullable=False),
    sa.Column('rxtx_factor', sa.Float, nullable=False),
    sa.Column('is_public', sa.Boolean, nullable=False),
    sa.Column('disabled', sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column('description', Text),
    sa.Column('extra_specs', Json, nullable=False),
    sa.Column('projects', Json, nullable=False),
    sa.Column('created_at', Time, nullable=False),
    sa.Column('updated_at', Time),
)

keypairs = sa.Table(
    'keypairs', metadata,
    sa.Column('id', BigId, primary_key=True, autoincrement=True),
    sa.Column('user_id', sa.String(255), nullable=False),
    sa.Column('name', sa.String(255), nullable=False),
    sa.Column('type', sa.String(10), nullable=False),
    sa.Column('fingerprint', sa.String(255), nullable=False),
    sa.Column('public_key', Text, nullable=False),
    sa.Column('created_at', Time, nullable=False),
    sa.UniqueConstraint('user_id', 'name', name='one_key_per_name'),
)
