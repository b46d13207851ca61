"""Rules of security groups have a key: equal rules are refused by the database.

Rows that are there stay without one; a new rule is compared with them when it is made.
"""

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

revision = '0003'
down_revision = '0002'


def upgrade() -> None:
    """Add the column and its index."""
    from alembic import op
    exact = sa.String(160).with_variant(mysql.VARCHAR(160, collation='utf8mb4_bin'), 'mysql', 'mariadb')
    op.add_column('security_group_rules', sa.Column('rule_key', exact, nullable=True))
    op.create_index('uq_security_group_rules_key', 'security_group_rules', ['group_id', 'rule_key'], unique=True)
