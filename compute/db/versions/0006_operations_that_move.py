"""Operations run in legs at several hosts, claims have a purpose, and servers know what quota is charged with."""

import sqlalchemy as sa

from compute.db.tables.meta import BigId, Time

revision = '0006'
down_revision = '0005'


def upgrade() -> None:
    """Add the columns. A claim that exists is its server's own; a server is charged with what its flavor has."""
    from alembic import op
    op.add_column('operations', sa.Column('plan', sa.JSON))
    op.add_column('operations', sa.Column('leg', sa.Integer, nullable=False, server_default='0'))
    with op.batch_alter_table('claims') as batch:
        batch.add_column(sa.Column('purpose', sa.String(16), nullable=False, server_default='current'))
        batch.add_column(sa.Column('operation_id', sa.BigInteger))
        batch.drop_constraint('one_claim_per_host', type_='unique')
        batch.create_unique_constraint('one_claim_per_purpose', ['instance_uuid', 'purpose'])
    for name in ('cores_charged', 'ram_charged'):
        op.add_column('instances', sa.Column(name, sa.Integer, nullable=False, server_default='0'))
    instances = sa.table('instances', *(sa.column(name) for name in (
        'vcpus', 'memory_mb', 'cores_charged', 'ram_charged')))
    op.get_bind().execute(instances.update().values(
        cores_charged=instances.c.vcpus, ram_charged=instances.c.memory_mb))
    op.create_table(
        'migrations',
        sa.Column('id', BigId, primary_key=True, autoincrement=True),
        sa.Column('uuid', sa.String(36), nullable=False, unique=True),
        sa.Column('instance_uuid', sa.String(36), nullable=False),
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
        sa.Column('old_flavor', sa.JSON, nullable=False),
        sa.Column('new_flavor', sa.JSON, nullable=False),
        sa.Column('old_vm_state', sa.String(32), nullable=False),
        sa.Column('bytes_total', sa.BigInteger, nullable=False, server_default='0'),
        sa.Column('bytes_done', sa.BigInteger, nullable=False, server_default='0'),
        sa.Column('created_at', Time, nullable=False),
        sa.Column('updated_at', Time, nullable=False))
    op.create_index('migrations_of_instance', 'migrations', ['instance_uuid', 'id'])
    op.create_index('migrations_by_status', 'migrations', ['status', 'updated_at'])
    op.create_index('migrations_of_operation', 'migrations', ['operation_id'])
    op.create_index('migrations_of_project', 'migrations', ['project_id', 'id'])
