"""Groups and their roles, roles of domains, tags of projects one a row, credentials, counts of attempts."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

revision = '0003'
down_revision = '0002'
_ENGINE: Any = {'mysql_charset': 'utf8mb4', 'mysql_engine': 'InnoDB'}
_TAG = sa.String(255).with_variant(mysql.VARCHAR(255, charset='utf8mb4', collation='utf8mb4_bin'), 'mysql', 'mariadb')


def upgrade() -> None:
    """Add tables and a column, and note the tags that projects have."""
    _groups()
    _project_tags()
    _credentials()


def _groups() -> None:
    from alembic import op
    op.create_table(
        'identity_groups',
        sa.Column('id', sa.String(64), primary_key=True),
        sa.Column('domain_id', sa.String(64), sa.ForeignKey('identity_domains.id'), nullable=False),
        sa.Column('name', sa.String(255), nullable=False),
        sa.Column('description', sa.Text),
        sa.Column('options', sa.JSON, nullable=False),
        sa.Column('extra', sa.JSON, nullable=False),
        sa.UniqueConstraint('domain_id', 'name'),
        sa.Index('ix_identity_groups_domain_id', 'domain_id'), **_ENGINE)
    op.create_table(
        'identity_group_members',
        sa.Column('user_id', sa.String(64), sa.ForeignKey('identity_users.id'), primary_key=True),
        sa.Column('group_id', sa.String(64), sa.ForeignKey('identity_groups.id'), primary_key=True),
        sa.Index('ix_identity_group_members_group_id', 'group_id'), **_ENGINE)
    op.create_table(
        'identity_group_assignments',
        sa.Column('group_id', sa.String(64), sa.ForeignKey('identity_groups.id'), primary_key=True),
        sa.Column('kind', sa.String(16), primary_key=True),
        sa.Column('target_id', sa.String(64), primary_key=True),
        sa.Column('role_id', sa.String(64), sa.ForeignKey('identity_roles.id'), primary_key=True),
        sa.Index('ix_identity_group_assignments_role_id', 'role_id'),
        sa.Index('ix_identity_group_assignments_target_id', 'target_id'), **_ENGINE)
    op.add_column('identity_roles', sa.Column('domain_id', sa.String(64)))
    op.create_index('ix_identity_roles_domain_id', 'identity_roles', ['domain_id'])


def _project_tags() -> None:
    from alembic import op
    tags = op.create_table(
        'identity_project_tags',
        sa.Column('project_id', sa.String(64), sa.ForeignKey('identity_projects.id'), primary_key=True),
        sa.Column('tag', _TAG, primary_key=True),
        sa.Index('ix_identity_project_tags_tag', 'tag'), **_ENGINE)
    projects = sa.table('identity_projects', sa.column('id', sa.String), sa.column('tags', sa.JSON))
    found = op.get_bind().execute(sa.select(projects.c.id, projects.c.tags)).all()
    rows = [{'project_id': row.id, 'tag': tag} for row in found for tag in dict.fromkeys(row.tags or ())]
    if rows:
        op.bulk_insert(tags, rows)


def _credentials() -> None:
    from alembic import op
    op.add_column('identity_application_credentials', sa.Column('expires_micro', sa.Integer))
    op.create_table(
        'identity_credentials',
        sa.Column('id', sa.String(64), primary_key=True),
        sa.Column('user_id', sa.String(64), sa.ForeignKey('identity_users.id'), nullable=False),
        sa.Column('project_id', sa.String(64)),
        sa.Column('type', sa.String(255), nullable=False),
        sa.Column('sealed', sa.Text, nullable=False),
        sa.Column('description', sa.Text),
        sa.Column('options', sa.JSON, nullable=False),
        sa.Column('extra', sa.JSON, nullable=False),
        sa.Index('ix_identity_credentials_project_id', 'project_id'),
        sa.Index('ix_identity_credentials_user_id', 'user_id'), **_ENGINE)
    op.create_table(
        'identity_attempts',
        sa.Column('subject', sa.String(64), primary_key=True),
        sa.Column('address', sa.String(64), primary_key=True),
        sa.Column('pending', sa.Integer, nullable=False),
        sa.Column('failed', sa.BigInteger, nullable=False),
        sa.Column('forgiven', sa.BigInteger, nullable=False),
        sa.Column('ends_at', sa.BigInteger, nullable=False),
        sa.Index('ix_identity_attempts_ends_at', 'ends_at'), **_ENGINE)
