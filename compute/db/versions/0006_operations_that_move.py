"""Operations run in legs at several hosts, claims have a purpose, and servers know what quota is charged with."""

import sqlalchemy as sa

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
