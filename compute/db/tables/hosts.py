"""Daemons that report themselves, and hypervisor hosts with their use."""

from __future__ import annotations

import sqlalchemy as sa

from compute.db.tables.meta import BigId, Json, Time, metadata, uuid_column

services = sa.Table(
    'services', metadata,
    sa.Column('id', BigId, primary_key=True, autoincrement=True),
    uuid_column('uuid', nullable=False, unique=True),
    sa.Column('host', sa.String(255), nullable=False),
    sa.Column('binary', sa.String(64), nullable=False),
    sa.Column('topic', sa.String(64), nullable=False, server_default=''),
    sa.Column('zone', sa.String(255), nullable=False, server_default='internal'),
    sa.Column('version', sa.Integer, nullable=False, server_default='1'),
    sa.Column('incarnation', sa.String(36), nullable=False, server_default=''),
    sa.Column('disabled', sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column('disabled_reason', sa.String(255)),
    sa.Column('forced_down', sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column('problems', Json),
    sa.Column('last_seen_at', Time),
    sa.Column('created_at', Time, nullable=False),
    sa.Column('updated_at', Time, nullable=False),
    sa.UniqueConstraint('host', 'binary', name='one_binary_per_host'),
)

hosts = sa.Table(
    'hosts', metadata,
    sa.Column('id', BigId, primary_key=True, autoincrement=True),
    uuid_column('uuid', nullable=False, unique=True),
    sa.Column('service_id', sa.BigInteger, nullable=False, index=True),
    sa.Column('host', sa.String(255), nullable=False, unique=True),
    sa.Column('node', sa.String(255), nullable=False),
    sa.Column('availability_zone', sa.String(255), nullable=False, server_default='nova'),
    sa.Column('vcpus', sa.Integer, nullable=False),
    sa.Column('memory_mb', sa.Integer, nullable=False),
    sa.Column('disk_gb', sa.Integer, nullable=False),
    sa.Column('free_disk_gb', sa.Integer, nullable=False, server_default='0'),
    sa.Column('reserved_vcpus', sa.Integer, nullable=False, server_default='0'),
    sa.Column('reserved_memory_mb', sa.Integer, nullable=False, server_default='0'),
    sa.Column('reserved_disk_gb', sa.Integer, nullable=False, server_default='0'),
    sa.Column('cpu_allocation_ratio', sa.Float, nullable=False),
    sa.Column('ram_allocation_ratio', sa.Float, nullable=False),
    sa.Column('disk_allocation_ratio', sa.Float, nullable=False),
    # What may be claimed in all, and what is: the claim compares these two in one statement.
    sa.Column('vcpus_limit', sa.Integer, nullable=False),
    sa.Column('memory_mb_limit', sa.Integer, nullable=False),
    sa.Column('disk_gb_limit', sa.Integer, nullable=False),
    sa.Column('vcpus_used', sa.Integer, nullable=False, server_default='0'),
    sa.Column('memory_mb_used', sa.Integer, nullable=False, server_default='0'),
    sa.Column('disk_gb_used', sa.Integer, nullable=False, server_default='0'),
    sa.Column('running_vms', sa.Integer, nullable=False, server_default='0'),
    sa.Column('failed_builds', sa.Integer, nullable=False, server_default='0'),
    sa.Column('hypervisor_type', sa.String(32), nullable=False),
    sa.Column('hypervisor_version', sa.Integer, nullable=False, server_default='0'),
    sa.Column('host_ip', sa.String(39), nullable=False, server_default=''),
    sa.Column('details', Json, nullable=False),
    sa.Column('generation', sa.BigInteger, nullable=False, server_default='0'),
    sa.Column('changed_at', Time, nullable=False, index=True),
    sa.Column('created_at', Time, nullable=False),
    sa.Column('updated_at', Time, nullable=False),
)
