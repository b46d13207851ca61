"""The first schema, as it was released: later changes are in later revisions."""

import sqlalchemy as sa

revision = '0001'
down_revision = None
metadata = sa.MetaData()

sa.Table(
    'identity_counters', metadata,
    sa.Column('name', sa.String(32), primary_key=True),
    sa.Column('value', sa.BigInteger, nullable=False),
    mysql_charset='utf8mb4',
    mysql_engine='InnoDB',
)
sa.Table(
    'identity_domains', metadata,
    sa.Column('id', sa.String(64), primary_key=True),
    sa.Column('name', sa.String(255), nullable=False),
    sa.Column('enabled', sa.Boolean, nullable=False),
    sa.Column('tags', sa.JSON, nullable=False),
    sa.Column('description', sa.Text),
    sa.Column('options', sa.JSON, nullable=False),
    sa.Column('extra', sa.JSON, nullable=False),
    sa.UniqueConstraint('name'),
    mysql_charset='utf8mb4',
    mysql_engine='InnoDB',
)
sa.Table(
    'identity_regions', metadata,
    sa.Column('id', sa.String(255), primary_key=True),
    sa.Column('parent_region_id', sa.String(255)),
    sa.Column('description', sa.Text),
    sa.Column('options', sa.JSON, nullable=False),
    sa.Column('extra', sa.JSON, nullable=False),
    mysql_charset='utf8mb4',
    mysql_engine='InnoDB',
)
sa.Table(
    'identity_revocations', metadata,
    sa.Column('number', sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column('kind', sa.String(16), nullable=False),
    sa.Column('value', sa.String(255), nullable=False),
    sa.Column('expires_at', sa.BigInteger, nullable=False),
    sa.Index('ix_identity_revocations_expires_at', 'expires_at'),
    mysql_charset='utf8mb4',
    mysql_engine='InnoDB',
)
sa.Table(
    'identity_roles', metadata,
    sa.Column('id', sa.String(64), primary_key=True),
    sa.Column('name', sa.String(255), nullable=False),
    sa.Column('description', sa.Text),
    sa.Column('options', sa.JSON, nullable=False),
    sa.Column('extra', sa.JSON, nullable=False),
    sa.UniqueConstraint('name'),
    mysql_charset='utf8mb4',
    mysql_engine='InnoDB',
)
sa.Table(
    'identity_services', metadata,
    sa.Column('id', sa.String(64), primary_key=True),
    sa.Column('type', sa.String(255), nullable=False),
    sa.Column('name', sa.String(255)),
    sa.Column('enabled', sa.Boolean, nullable=False),
    sa.Column('description', sa.Text),
    sa.Column('options', sa.JSON, nullable=False),
    sa.Column('extra', sa.JSON, nullable=False),
    mysql_charset='utf8mb4',
    mysql_engine='InnoDB',
)
sa.Table(
    'identity_endpoints', metadata,
    sa.Column('id', sa.String(64), primary_key=True),
    sa.Column('service_id', sa.String(64), sa.ForeignKey('identity_services.id'), nullable=False),
    sa.Column('region_id', sa.String(255), sa.ForeignKey('identity_regions.id')),
    sa.Column('interface', sa.String(8), nullable=False),
    sa.Column('url', sa.Text, nullable=False),
    sa.Column('enabled', sa.Boolean, nullable=False),
    sa.Column('description', sa.Text),
    sa.Column('options', sa.JSON, nullable=False),
    sa.Column('extra', sa.JSON, nullable=False),
    sa.Index('ix_identity_endpoints_region_id', 'region_id'),
    sa.Index('ix_identity_endpoints_service_id', 'service_id'),
    mysql_charset='utf8mb4',
    mysql_engine='InnoDB',
)
sa.Table(
    'identity_implied_roles', metadata,
    sa.Column('prior_id', sa.String(64), sa.ForeignKey('identity_roles.id'), primary_key=True),
    sa.Column('implied_id', sa.String(64), sa.ForeignKey('identity_roles.id'), primary_key=True),
    mysql_charset='utf8mb4',
    mysql_engine='InnoDB',
)
sa.Table(
    'identity_projects', metadata,
    sa.Column('id', sa.String(64), primary_key=True),
    sa.Column('domain_id', sa.String(64), sa.ForeignKey('identity_domains.id'), nullable=False),
    sa.Column('parent_id', sa.String(64)),
    sa.Column('name', sa.String(255), nullable=False),
    sa.Column('enabled', sa.Boolean, nullable=False),
    sa.Column('tags', sa.JSON, nullable=False),
    sa.Column('description', sa.Text),
    sa.Column('options', sa.JSON, nullable=False),
    sa.Column('extra', sa.JSON, nullable=False),
    sa.UniqueConstraint('domain_id', 'name'),
    sa.Index('ix_identity_projects_domain_id', 'domain_id'),
    sa.Index('ix_identity_projects_parent_id', 'parent_id'),
    mysql_charset='utf8mb4',
    mysql_engine='InnoDB',
)
sa.Table(
    'identity_users', metadata,
    sa.Column('id', sa.String(64), primary_key=True),
    sa.Column('domain_id', sa.String(64), sa.ForeignKey('identity_domains.id'), nullable=False),
    sa.Column('name', sa.String(255), nullable=False),
    sa.Column('enabled', sa.Boolean, nullable=False),
    sa.Column('default_project_id', sa.String(64)),
    sa.Column('password_hash', sa.String(255)),
    sa.Column('failures', sa.Integer, nullable=False),
    sa.Column('locked_until', sa.BigInteger, nullable=False),
    sa.Column('description', sa.Text),
    sa.Column('options', sa.JSON, nullable=False),
    sa.Column('extra', sa.JSON, nullable=False),
    sa.UniqueConstraint('domain_id', 'name'),
    sa.Index('ix_identity_users_domain_id', 'domain_id'),
    mysql_charset='utf8mb4',
    mysql_engine='InnoDB',
)
sa.Table(
    'identity_application_credentials', metadata,
    sa.Column('id', sa.String(64), primary_key=True),
    sa.Column('user_id', sa.String(64), sa.ForeignKey('identity_users.id'), nullable=False),
    sa.Column('project_id', sa.String(64), sa.ForeignKey('identity_projects.id'), nullable=False),
    sa.Column('name', sa.String(255), nullable=False),
    sa.Column('secret_hash', sa.String(255), nullable=False),
    sa.Column('roles', sa.JSON, nullable=False),
    sa.Column('unrestricted', sa.Boolean, nullable=False),
    sa.Column('expires_at', sa.BigInteger),
    sa.Column('description', sa.Text),
    sa.Column('options', sa.JSON, nullable=False),
    sa.Column('extra', sa.JSON, nullable=False),
    sa.UniqueConstraint('user_id', 'name'),
    sa.Index('ix_identity_application_credentials_project_id', 'project_id'),
    sa.Index('ix_identity_application_credentials_user_id', 'user_id'),
    mysql_charset='utf8mb4',
    mysql_engine='InnoDB',
)
sa.Table(
    'identity_assignments', metadata,
    sa.Column('user_id', sa.String(64), sa.ForeignKey('identity_users.id'), primary_key=True),
    sa.Column('kind', sa.String(16), primary_key=True),
    sa.Column('target_id', sa.String(64), primary_key=True),
    sa.Column('role_id', sa.String(64), sa.ForeignKey('identity_roles.id'), primary_key=True),
    sa.Index('ix_identity_assignments_role_id', 'role_id'),
    sa.Index('ix_identity_assignments_target_id', 'target_id'),
    mysql_charset='utf8mb4',
    mysql_engine='InnoDB',
)


def upgrade() -> None:
    """Create every table, and the counter of revocations."""
    from alembic import op

    from compute.builtin.identity.db.revocations import start
    metadata.create_all(op.get_bind())
    start(op.get_bind())
