"""Names of roles are unique in their domain; credentials have their binding; users have no counts of wrong passwords.

Of EC2 keys only the encrypted text has said with which application credential they were made. A daemon that starts
reads it (``db/credential_rows.py``). Wrong passwords have been counted in ``identity_attempts`` since revision 0003.
"""

import hashlib
from typing import Any

import sqlalchemy as sa

revision = '0004'
down_revision = '0003'
_KEY = 'uq_identity_roles_name_key'


def upgrade() -> None:
    """Add two columns and fill one, remove two, and let names of roles be unique with their domain."""
    from alembic import op
    op.add_column('identity_credentials', sa.Column('application_credential_id', sa.String(64)))
    table = sa.table('identity_credentials', sa.column('type', sa.String),
                     sa.column('application_credential_id', sa.String))
    op.execute(table.update().where(table.c.type != 'ec2').values(application_credential_id=''))
    op.add_column('identity_roles', sa.Column('name_key', sa.String(64)))
    _fill_keys(op.get_bind())
    if op.get_bind().dialect.name == 'sqlite':
        for made in _tables():
            _rebuild(op.get_bind(), made)
        return
    for unique in sa.inspect(op.get_bind()).get_unique_constraints('identity_roles'):
        op.drop_constraint(str(unique['name']), 'identity_roles', type_='unique')
    op.create_index(_KEY, 'identity_roles', ['name_key'], unique=True)
    op.drop_column('identity_users', 'failures')
    op.drop_column('identity_users', 'locked_until')


def _fill_keys(connection: sa.Connection) -> None:
    """Give roles their keys. Of those that differ in case only, the first one gets it: the others can be renamed."""
    roles = sa.table('identity_roles', *(
        sa.column(name, sa.String) for name in ('id', 'name', 'domain_id', 'name_key')))
    given: set[str] = set()
    for row in connection.execute(sa.select(roles).order_by(roles.c.id)).all():
        key = hashlib.sha256(f'{row.domain_id or ""}\n{row.name.lower()}'.encode()).hexdigest()
        if key not in given:
            connection.execute(roles.update().where(roles.c.id == row.id).values(name_key=key))
        given.add(key)


def _tables() -> list[sa.Table]:
    """Return the tables that SQLite has to make anew, as they are from now on."""
    metadata = sa.MetaData()

    def common() -> tuple[sa.Column[Any], ...]:
        return (sa.Column('description', sa.Text), sa.Column('options', sa.JSON, nullable=False),
                sa.Column('extra', sa.JSON, nullable=False))
    sa.Table('identity_domains', metadata, sa.Column('id', sa.String(64), primary_key=True))
    return [
        sa.Table('identity_roles', metadata,
                 sa.Column('id', sa.String(64), primary_key=True),
                 sa.Column('name', sa.String(255), nullable=False), *common(),
                 sa.Column('domain_id', sa.String(64)), sa.Column('name_key', sa.String(64)),
                 sa.Index('ix_identity_roles_domain_id', 'domain_id'), sa.Index(_KEY, 'name_key', unique=True)),
        sa.Table('identity_users', metadata,
                 sa.Column('id', sa.String(64), primary_key=True),
                 sa.Column('domain_id', sa.String(64), sa.ForeignKey('identity_domains.id'), nullable=False),
                 sa.Column('name', sa.String(255), nullable=False), sa.Column('enabled', sa.Boolean, nullable=False),
                 sa.Column('default_project_id', sa.String(64)), sa.Column('password_hash', sa.String(255)), *common(),
                 sa.UniqueConstraint('domain_id', 'name'), sa.Index('ix_identity_users_domain_id', 'domain_id'))]


def _rebuild(connection: sa.Connection, table: sa.Table) -> None:
    """Make a table anew with its rows. Other tables refer to it: that is checked when the transaction ends.

    The new table must have the name of the old one from the beginning. The check counts rows that lose what they refer
    to, and those that find it again when rows are inserted, but not those that find it again when a table is renamed.
    """
    columns = ', '.join(column.name for column in table.columns)
    for statement in ('PRAGMA defer_foreign_keys = ON',
                      f'CREATE TEMPORARY TABLE rows_before AS SELECT {columns} FROM {table.name}',
                      f'DROP TABLE {table.name}'):
        connection.exec_driver_sql(statement)
    table.create(connection)
    connection.exec_driver_sql(f'INSERT INTO {table.name} ({columns}) SELECT {columns} FROM rows_before')  # noqa: S608
    connection.exec_driver_sql('DROP TABLE rows_before')
