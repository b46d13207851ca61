"""Limits of projects, and their use. Use is charged in the transaction that creates what is counted."""

from __future__ import annotations

import sqlalchemy as sa

from compute.db.tables.meta import metadata

quotas = sa.Table(
    'quotas', metadata,
    sa.Column('project_id', sa.String(255), primary_key=True),
    sa.Column('user_id', sa.String(255), primary_key=True, server_default=''),
    sa.Column('resource', sa.String(64), primary_key=True),
    sa.Column('hard_limit', sa.Integer, nullable=False),
)

quota_classes = sa.Table(
    'quota_classes', metadata,
    sa.Column('name', sa.String(255), primary_key=True),
    sa.Column('resource', sa.String(64), primary_key=True),
    sa.Column('hard_limit', sa.Integer, nullable=False),
)

usages = sa.Table(
    'usages', metadata,
    sa.Column('project_id', sa.String(255), primary_key=True),
    sa.Column('instances', sa.Integer, nullable=False, server_default='0'),
    sa.Column('cores', sa.Integer, nullable=False, server_default='0'),
    sa.Column('ram', sa.Integer, nullable=False, server_default='0'),
)
