"""Moves of servers."""

from __future__ import annotations

import sqlalchemy as sa

from compute.db.tables.meta import BigId, Json, Time, metadata, uuid_column

migrations = sa.Table(
    'migrations', metadata,
    sa.Column('id', BigId, primary_key=True, autoincrement=True),
    uuid_column('uuid', nullable=False, unique=True),
    uuid_column('instance_uuid', nullable=False),
    sa.Column('project_id', sa.String(255), nullable=False),
    sa.Column('user_id', sa.String(255), nullable=False),
    sa.Column('operation_id', sa.BigInteger, nullable=False),
    sa.Column('type', sa.String(16), nullable=False),
    sa.Column('status', sa.String(16), nullable=False),
    sa.Column('source_host', sa.String(255), nullable=False),
    sa.Column('source_node', sa.String(255), nullable=False),
    sa.Column('dest_host', sa.String(255)),
    sa.Column('dest_node', sa.String(255)),
    sa.Column('dest_ip', sa.String(39)),
    sa.Column('old_flavor', Json, nullable=False),
    sa.Column('new_flavor', Json, nullable=False),
    sa.Column('old_vm_state', sa.String(32), nullable=False),
    sa.Column('bytes_total', sa.BigInteger, nullable=False, server_default='0'),
    sa.Column('bytes_done', sa.BigInteger, nullable=False, server_default='0'),
    sa.Column('created_at', Time, nullable=False),
    sa.Column('updated_at', Time, nullable=False),
    sa.Index('migrations_of_instance', 'instance_uuid', 'id'),
    sa.Index('migrations_by_status', 'status', 'updated_at'),
    sa.Index('migrations_of_operation', 'operation_id'),
    sa.Index('migrations_of_project', 'project_id', 'id'),
)
