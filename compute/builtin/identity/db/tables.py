"""The tables of identity. Attributes that clients invent (a user's email ...) are kept in ``extra``.

Times are seconds of the epoch. Names are unique where Keystone's are: users, groups, roles and projects in their domain
(global roles among themselves), application credentials in their user.

``kind`` of an assignment is ``project``, ``domain`` or ``system``; ``project_below`` and ``domain_below`` are inherited
roles: on every project below the target, not on the target itself.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from compute.db.tables.idempotency import idempotency_table

metadata = sa.MetaData()
idempotency = idempotency_table(metadata, 'identity')
_ID = sa.String(64)
_NAME = sa.String(255)
# Tags differ in case; MariaDB's usual order of letters would make them one.
_TAG = sa.String(255).with_variant(mysql.VARCHAR(255, charset='utf8mb4', collation='utf8mb4_bin'), 'mysql', 'mariadb')


def _entity(name: str, *columns: sa.schema.SchemaItem, key: sa.String = _ID) -> sa.Table:
    return sa.Table(name, metadata, sa.Column('id', key, primary_key=True), *columns,
                    sa.Column('description', sa.Text), sa.Column('options', sa.JSON, nullable=False),
                    sa.Column('extra', sa.JSON, nullable=False), mysql_charset='utf8mb4', mysql_engine='InnoDB')


def _enabled() -> sa.Column[bool]:
    return sa.Column('enabled', sa.Boolean, nullable=False)


def _of(column: str, parent: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(column, sa.ForeignKey(f'{parent}.id'), index=True, nullable=nullable)


domains = _entity('identity_domains', sa.Column('name', _NAME, nullable=False, unique=True), _enabled(),
                  sa.Column('tags', sa.JSON, nullable=False))

projects = _entity('identity_projects', _of('domain_id', 'identity_domains'),
                   sa.Column('parent_id', _ID, index=True), sa.Column('name', _NAME, nullable=False), _enabled(),
                   sa.Column('tags', sa.JSON, nullable=False), sa.UniqueConstraint('domain_id', 'name'))

project_tags = sa.Table(
    'identity_project_tags', metadata,
    sa.Column('project_id', sa.ForeignKey(projects.c.id), primary_key=True),
    sa.Column('tag', _TAG, primary_key=True, index=True), mysql_charset='utf8mb4', mysql_engine='InnoDB')
"""The tags of projects once more, one a row, for the filters of lists."""

users = _entity('identity_users', _of('domain_id', 'identity_domains'),
                sa.Column('name', _NAME, nullable=False), _enabled(), sa.Column('default_project_id', _ID),
                sa.Column('password_hash', sa.String(255)), sa.UniqueConstraint('domain_id', 'name'))

groups = _entity('identity_groups', _of('domain_id', 'identity_domains'), sa.Column('name', _NAME, nullable=False),
                 sa.UniqueConstraint('domain_id', 'name'))

group_members = sa.Table(
    'identity_group_members', metadata,
    sa.Column('user_id', sa.ForeignKey(users.c.id), primary_key=True),
    sa.Column('group_id', sa.ForeignKey(groups.c.id), primary_key=True, index=True),
    mysql_charset='utf8mb4', mysql_engine='InnoDB')

roles = _entity('identity_roles', sa.Column('name', _NAME, nullable=False), sa.Column('domain_id', _ID, index=True),
                sa.Column('name_key', sa.String(64)), sa.Index('uq_identity_roles_name_key', 'name_key', unique=True))
"""One of a domain is never in a token; it implies others. ``name_key`` is of domain and name (``db/nouns.py``)."""

implied_roles = sa.Table(
    'identity_implied_roles', metadata,
    sa.Column('prior_id', sa.ForeignKey(roles.c.id), primary_key=True),
    sa.Column('implied_id', sa.ForeignKey(roles.c.id), primary_key=True),
    mysql_charset='utf8mb4', mysql_engine='InnoDB')

assignments = sa.Table(
    'identity_assignments', metadata,
    sa.Column('user_id', sa.ForeignKey(users.c.id), primary_key=True),
    sa.Column('kind', sa.String(16), primary_key=True),
    sa.Column('target_id', _ID, primary_key=True, index=True),
    sa.Column('role_id', sa.ForeignKey(roles.c.id), primary_key=True, index=True),
    mysql_charset='utf8mb4', mysql_engine='InnoDB')

group_assignments = sa.Table(
    'identity_group_assignments', metadata,
    sa.Column('group_id', sa.ForeignKey(groups.c.id), primary_key=True),
    sa.Column('kind', sa.String(16), primary_key=True),
    sa.Column('target_id', _ID, primary_key=True, index=True),
    sa.Column('role_id', sa.ForeignKey(roles.c.id), primary_key=True, index=True),
    mysql_charset='utf8mb4', mysql_engine='InnoDB')

services = _entity('identity_services', sa.Column('type', _NAME, nullable=False), sa.Column('name', _NAME), _enabled())

regions = _entity('identity_regions', sa.Column('parent_region_id', _NAME), key=_NAME)

endpoints = _entity('identity_endpoints', _of('service_id', 'identity_services'),
                    _of('region_id', 'identity_regions', nullable=True),
                    sa.Column('interface', sa.String(8), nullable=False),
                    sa.Column('url', sa.Text, nullable=False), _enabled())

application_credentials = _entity(
    'identity_application_credentials', _of('user_id', 'identity_users'),
    sa.Column('project_id', sa.ForeignKey(projects.c.id), nullable=False, index=True),
    sa.Column('name', _NAME, nullable=False), sa.Column('secret_hash', sa.String(255), nullable=False),
    sa.Column('roles', sa.JSON, nullable=False), sa.Column('unrestricted', sa.Boolean, nullable=False),
    sa.Column('expires_at', sa.BigInteger), sa.Column('expires_micro', sa.Integer),
    sa.UniqueConstraint('user_id', 'name'))

credentials = _entity(
    'identity_credentials', _of('user_id', 'identity_users'), sa.Column('project_id', _ID, index=True),
    sa.Column('type', _NAME, nullable=False), sa.Column('sealed', sa.Text, nullable=False),
    sa.Column('application_credential_id', _ID))
"""Credentials of users: EC2 keys, certificates, TOTP seeds. ``sealed`` is encrypted (``credential_keys.py``).

``application_credential_id`` is that of the application credential that a credential was made with; empty for none,
NULL while it is not known yet (``db/credential_rows.py``).
"""

attempts = sa.Table(
    'identity_attempts', metadata,
    sa.Column('subject', _ID, primary_key=True), sa.Column('address', sa.String(64), primary_key=True),
    sa.Column('pending', sa.Integer, nullable=False), sa.Column('failed', sa.BigInteger, nullable=False),
    sa.Column('forgiven', sa.BigInteger, nullable=False),
    sa.Column('ends_at', sa.BigInteger, nullable=False, index=True), mysql_charset='utf8mb4', mysql_engine='InnoDB')
"""Guesses at the secret of a user or an application credential from one address (``db/attempts.py``)."""

revocations = sa.Table(
    'identity_revocations', metadata,
    sa.Column('number', sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column('kind', sa.String(16), nullable=False), sa.Column('value', sa.String(255), nullable=False),
    sa.Column('expires_at', sa.BigInteger, nullable=False, index=True),
    mysql_charset='utf8mb4', mysql_engine='InnoDB')

counters = sa.Table(
    'identity_counters', metadata, sa.Column('name', sa.String(32), primary_key=True),
    sa.Column('value', sa.BigInteger, nullable=False), mysql_charset='utf8mb4', mysql_engine='InnoDB')
