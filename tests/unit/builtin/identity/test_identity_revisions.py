"""What revisions of identity do with rows that are there; ``tests/real`` runs this on servers, too."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from oslo_config import cfg

from compute.builtin.identity.daemon import VERSION_TABLE, VERSIONS
from compute.builtin.identity.db import nouns, tables
from compute.conf import database as options
from compute.db import revisions
from compute.db.session import Database
from compute.exception import Conflict

STEPS = {step.revision: step for step in revisions.script(VERSIONS).iterate_revisions('heads', 'base')}


def open_store(url: str) -> Database:
    """Return an empty store."""
    conf = cfg.ConfigOpts()
    conf.register_opts(options.OPTS, options.GROUP)
    conf([])
    return Database(url, conf.database)


@pytest.fixture
def target(tmp_path: pathlib.Path) -> Iterator[Database]:
    database = open_store(f'sqlite:///{tmp_path}/identity')
    yield database
    database.dispose()


def upgrade(database: Database, *numbers: str) -> None:
    """Apply these revisions."""
    for number in numbers:
        revisions._apply(database, VERSION_TABLE, STEPS[number])


def put(database: Database, table: str, **values: Any) -> None:
    """Insert a row as the daemons of that revision did."""
    made = sa.table(table, *(sa.column(name, sa.JSON if isinstance(value, list | dict) else None)
                             for name, value in values.items()))
    database.transaction(lambda connection: connection.execute(made.insert().values(values)))


def entity(database: Database, table: str, row_id: str, **values: Any) -> None:
    """Insert a row of what has options and attributes of clients."""
    put(database, table, id=row_id, options={}, extra={'colour': 'ö'}, **values)


def test_tags_of_projects_are_noted(target: Database) -> None:
    upgrade(target, '0001', '0002')
    entity(target, 'identity_domains', 'd', name='d', enabled=True, tags=[])
    for name, tags in (('p', ['a', 'ä', 'a']), ('q', [])):
        entity(target, 'identity_projects', name, name=name, domain_id='d', enabled=True, tags=tags)
    upgrade(target, '0003')
    noted = target.rows(sa.select(tables.project_tags).order_by(tables.project_tags.c.tag))
    assert [tuple(each) for each in noted] == [('p', 'a'), ('p', 'ä')]


def test_names_of_roles_and_columns_of_users(target: Database) -> None:
    """Rows that others refer to are kept, and what refers to them."""
    upgrade(target, '0001', '0002', '0003')
    entity(target, 'identity_domains', 'd', name='d', enabled=True, tags=[])
    entity(target, 'identity_users', 'u', name='ann', domain_id='d', enabled=True, password_hash='h', failures=3,
           locked_until=7)
    for row_id, domain in (('member', None), ('builder', 'd')):
        entity(target, 'identity_roles', row_id, name=row_id, domain_id=domain, description='what')
    put(target, 'identity_implied_roles', prior_id='builder', implied_id='member')
    put(target, 'identity_assignments', user_id='u', kind='domain', target_id='d', role_id='builder')
    for row_id, kind in (('1', 'ec2'), ('2', 'cert')):
        entity(target, 'identity_credentials', row_id, user_id='u', type=kind, sealed='x')
    upgrade(target, '0004')

    def look(connection: sa.Connection) -> None:
        user = nouns.USERS.secret(connection, 'u')
        assert (user['name'], user['password_hash'], user['colour']) == ('ann', 'h', 'ö')
        assert not {'failures', 'locked_until'} & user.keys()
        role = nouns.ROLES.get(connection, 'builder')
        assert (role['name'], role['domain_id'], role['description'], role['colour']) == ('builder', 'd', 'what', 'ö')
        for name, domain in (('Builder', 'd'), ('Member', None)):
            with pytest.raises(Conflict), connection.begin_nested():
                nouns.ROLES.insert(connection, {'name': name, 'domain_id': domain})
        for name, domain in (('member', 'd'), ('builder', None)):
            nouns.ROLES.insert(connection, {'name': name, 'domain_id': domain})
        with pytest.raises(Conflict), connection.begin_nested():
            nouns.ROLES.delete(connection, 'member')
        column = tables.credentials.c.application_credential_id
        assert [*connection.execute(sa.select(column).order_by(tables.credentials.c.id)).scalars()] == [None, '']
    target.transaction(look)
    for table in (tables.assignments, tables.implied_roles):
        assert len(target.rows(sa.select(table))) == 1


def test_roles_that_differ_in_case_only_stay(target: Database) -> None:
    upgrade(target, '0001', '0002', '0003')
    if target.kind == 'mysql':
        pytest.skip('its order of letters has made them one before')
    for row_id, name in (('1', 'ops'), ('2', 'Ops')):
        entity(target, 'identity_roles', row_id, name=name)
    upgrade(target, '0004')

    def look(connection: sa.Connection) -> None:
        nouns.ROLES.update(connection, '2', {'description': 'd'})
        nouns.ROLES.update(connection, '2', {'name': 'others'})
        assert [each['name'] for each in nouns.ROLES.all(connection)] == ['ops', 'others']
    target.transaction(look)
