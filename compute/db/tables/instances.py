"""Servers, what they claim of their hosts, and server groups with their seats."""

from __future__ import annotations

import sqlalchemy as sa

from compute.db.tables.meta import BigId, Json, Text, Time, metadata, uuid_column

# Columns that are filtered or sorted by stand alone; the rest of an instance is JSON in the same row, so that a page of
# a list is one query over one table.
instances = sa.Table(
    'instances', metadata,
    sa.Column('id', BigId, primary_key=True, autoincrement=True),
    uuid_column('uuid', nullable=False, unique=True),
    sa.Column('project_id', sa.String(64), nullable=False),
    sa.Column('user_id', sa.String(64), nullable=False),
    sa.Column('name', sa.String(255), nullable=False),
    sa.Column('description', sa.String(255)),
    sa.Column('hostname', sa.String(255), nullable=False, server_default=''),
    sa.Column('vm_state', sa.String(32), nullable=False),
    sa.Column('task_state', sa.String(40)),
    sa.Column('power_state', sa.Integer, nullable=False, server_default='0'),
    sa.Column('progress', sa.Integer, nullable=False, server_default='0'),
    sa.Column('operation_id', sa.BigInteger),
    sa.Column('host', sa.String(255)),
    sa.Column('node', sa.String(255)),
    sa.Column('launched_on', sa.String(255)),
    sa.Column('availability_zone', sa.String(255)),
    sa.Column('pinned_availability_zone', sa.String(255)),
    sa.Column('flavorid', sa.String(255), nullable=False),
    sa.Column('vcpus', sa.Integer, nullable=False),
    sa.Column('memory_mb', sa.Integer, nullable=False),
    sa.Column('disk_gb', sa.Integer, nullable=False),
    # What the project's quota is charged with for it: more than its flavor has while a resize may become true.
    sa.Column('cores_charged', sa.Integer, nullable=False, server_default='0'),
    sa.Column('ram_charged', sa.Integer, nullable=False, server_default='0'),
    uuid_column('image_id'),
    sa.Column('key_name', sa.String(255)),
    sa.Column('reservation_id', sa.String(40), nullable=False, server_default=''),
    sa.Column('launch_index', sa.Integer, nullable=False, server_default='0'),
    sa.Column('locked', sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column('config_drive', sa.Boolean, nullable=False, server_default=sa.false()),
    uuid_column('server_group'),
    sa.Column('access_ip_v4', sa.String(39)),
    sa.Column('access_ip_v6', sa.String(39)),
    sa.Column('flavor', Json, nullable=False),
    sa.Column('image', Json),
    sa.Column('nics', Json, nullable=False),
    sa.Column('metadata', Json, nullable=False),
    sa.Column('tags', Json, nullable=False),
    sa.Column('fault', Json),
    sa.Column('extra', Json, nullable=False),
    sa.Column('user_data', Text),
    sa.Column('created_at', Time, nullable=False),
    sa.Column('updated_at', Time, nullable=False),
    sa.Column('launched_at', Time),
    sa.Column('terminated_at', Time),
    sa.Column('deleted', sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Index('instances_of_project', 'project_id', 'deleted', 'created_at', 'id'),
    sa.Index('instances_by_age', 'deleted', 'created_at', 'id'),
    sa.Index('instances_of_host', 'host', 'deleted'),
    sa.Index('instances_of_group', 'server_group'),
    sa.Index('instances_changed', 'updated_at'),
    sa.Index('instances_terminated', 'deleted', 'terminated_at'),
)

# Not in the row of the server: lists would read up to a hundred KiB for each.
injected_files = sa.Table(
    'injected_files', metadata,
    sa.Column('id', BigId, primary_key=True, autoincrement=True),
    uuid_column('instance_uuid', nullable=False),
    sa.Column('number', sa.Integer, nullable=False),
    sa.Column('content', Text, nullable=False),
    sa.UniqueConstraint('instance_uuid', 'number', name='one_file_per_number'),
)

claims = sa.Table(
    'claims', metadata,
    sa.Column('id', BigId, primary_key=True, autoincrement=True),
    uuid_column('instance_uuid', nullable=False),
    sa.Column('host_id', sa.BigInteger, nullable=False),
    sa.Column('purpose', sa.String(16), nullable=False, server_default='current'),
    sa.Column('operation_id', sa.BigInteger),
    sa.Column('vcpus', sa.Integer, nullable=False),
    sa.Column('memory_mb', sa.Integer, nullable=False),
    sa.Column('disk_gb', sa.Integer, nullable=False),
    sa.Column('created_at', Time, nullable=False),
    sa.UniqueConstraint('instance_uuid', 'purpose', name='one_claim_per_purpose'),
    sa.Index('claims_of_host', 'host_id'),
)

server_groups = sa.Table(
    'server_groups', metadata,
    sa.Column('id', BigId, primary_key=True, autoincrement=True),
    uuid_column('uuid', nullable=False, unique=True),
    sa.Column('project_id', sa.String(64), nullable=False),
    sa.Column('user_id', sa.String(64), nullable=False),
    sa.Column('name', sa.String(255), nullable=False),
    sa.Column('policy', sa.String(32), nullable=False),
    sa.Column('rules', Json, nullable=False),
    sa.Column('created_at', Time, nullable=False),
    sa.Index('server_groups_of_project', 'project_id'),
)

# Hard anti-affinity: seat numbers run below max_server_per_host, so two boots cannot take the same one.
group_seats = sa.Table(
    'group_seats', metadata,
    sa.Column('id', BigId, primary_key=True, autoincrement=True),
    uuid_column('group_uuid', nullable=False),
    sa.Column('host_id', sa.BigInteger, nullable=False),
    sa.Column('seat', sa.Integer, nullable=False),
    uuid_column('instance_uuid', nullable=False),
    sa.UniqueConstraint('group_uuid', 'host_id', 'seat', name='one_server_per_seat'),
    sa.Index('seats_of_instance', 'instance_uuid'),
)
