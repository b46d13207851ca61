"""The ledger, its events, and leases of jobs that one daemon at a time may do."""

from __future__ import annotations

import sqlalchemy as sa

from compute.db.tables.meta import BigId, Json, Text, Time, metadata, uuid_column

operations = sa.Table(
    'operations', metadata,
    sa.Column('id', BigId, primary_key=True, autoincrement=True),
    sa.Column('request_id', sa.String(64), nullable=False),
    # TEMPORARY: daemons of before revision 0002 write it while they are replaced; it goes in the release after.
    sa.Column('idempotency_key', sa.String(128)),
    sa.Column('kind', sa.String(40), nullable=False),
    uuid_column('instance_uuid', nullable=False),
    sa.Column('project_id', sa.String(64), nullable=False),
    sa.Column('user_id', sa.String(64), nullable=False),
    sa.Column('args', Json, nullable=False),
    sa.Column('plan', Json),
    sa.Column('state', sa.String(16), nullable=False),
    sa.Column('stage', sa.String(40), nullable=False, server_default=''),
    sa.Column('leg', sa.Integer, nullable=False, server_default='0'),
    sa.Column('host', sa.String(255)),
    sa.Column('owner', sa.String(300)),
    sa.Column('incarnation', sa.String(36)),
    sa.Column('lease_until', Time),
    sa.Column('attempt', sa.Integer, nullable=False, server_default='0'),
    sa.Column('deadline_at', Time, nullable=False),
    sa.Column('created_at', Time, nullable=False),
    sa.Column('started_at', Time),
    sa.Column('finished_at', Time),
    sa.Column('updated_at', Time, nullable=False),
    sa.Column('error', Json),
    sa.UniqueConstraint('project_id', 'idempotency_key', 'instance_uuid', name='one_answer_per_key'),
    sa.Index('operations_of_instance', 'instance_uuid', 'id'),
    sa.Index('operations_of_request', 'request_id'),
    sa.Index('operations_open', 'state', 'lease_until'),
    sa.Index('operations_of_host', 'host', 'state'),
)

operation_events = sa.Table(
    'operation_events', metadata,
    sa.Column('id', BigId, primary_key=True, autoincrement=True),
    sa.Column('operation_id', sa.BigInteger, nullable=False),
    sa.Column('name', sa.String(40), nullable=False),
    sa.Column('host', sa.String(255), nullable=False, server_default=''),
    sa.Column('attempt', sa.Integer, nullable=False, server_default='0'),
    sa.Column('started_at', Time, nullable=False),
    sa.Column('finished_at', Time),
    sa.Column('result', sa.String(16)),
    sa.Column('details', Text),
    sa.Index('events_of_operation', 'operation_id', 'id'),
)

leases = sa.Table(
    'leases', metadata,
    sa.Column('name', sa.String(64), primary_key=True),
    sa.Column('owner', sa.String(300), nullable=False),
    sa.Column('until', Time, nullable=False),
)
