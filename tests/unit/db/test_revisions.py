"""Every store's revisions end in the tables that the code uses, and each only adds to what the one before it left.

Daemons of the version before go on writing while the first new one has already changed the schema. So a later revision
may add tables, and columns that those daemons need not fill, and let a column hold longer texts; it may take nothing
away and make nothing stricter.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from oslo_config import cfg

from compute.cmd.stores import STORES, Store
from compute.conf import database as options
from compute.db import migrate, revisions
from compute.db.session import Database

# What a revision may take away all the same, by store and revision, and why.
STRICTER = {
    # Nothing was released before it, and no daemon of that time gave a server a second claim.
    ('compute', '0006'): ["claims: ('instance_uuid', 'purpose') must be unique now"]}
TABLES = {'compute': 'compute.db.tables', **{name: f'compute.builtin.{name}.db.tables'
                                             for name in ('identity', 'image', 'network')}}
REMOVED = {('identity', '0004'): ('identity_users.failures', 'identity_users.locked_until')}
"""Columns that a revision takes away, by store and revision: no release was published whose daemons know them."""
Schema = dict[str, dict[str, Any]]


def database(path: Path) -> Database:
    conf = cfg.ConfigOpts()
    conf.register_opts(options.OPTS, options.GROUP)
    conf([])
    return Database(f'sqlite:///{path}', conf.database)


def schema(store: Database, versions_table: str) -> Schema:
    """Return what is there: of each table its columns, what is unique and what is indexed."""
    looked = sa.inspect(store.engine)
    return {table: {
        'columns': {column['name']: (str(column['type']), column['nullable'], column['default'])
                    for column in looked.get_columns(table)},
        'key': looked.get_pk_constraint(table)['constrained_columns'],
        'unique': {tuple(each['column_names']) for each in looked.get_unique_constraints(table)},
        'indexes': {(each['name'], tuple(each['column_names']), bool(each['unique']))
                    for each in looked.get_indexes(table)},
        'foreign': {(tuple(each['constrained_columns']), each['referred_table'])
                    for each in looked.get_foreign_keys(table)},
    } for table in looked.get_table_names() if table != versions_table}


@pytest.fixture(params=STORES, ids=lambda store: store.name)
def store(request: pytest.FixtureRequest) -> Store:
    found: Store = request.param
    return found


def test_revisions_end_in_the_tables_of_the_code(store: Store, tmp_path: Path) -> None:
    stepped, whole = database(tmp_path / 'stepped'), database(tmp_path / 'whole')
    store.upgrade(stepped)
    importlib.import_module(TABLES[store.name]).metadata.create_all(whole.engine)
    assert schema(stepped, store.table) == schema(whole, store.table)


def test_names_of_files_are_those_of_revisions(store: Store, tmp_path: Path) -> None:
    """Whether there is something to apply is told from the names of the files, without alembic."""
    fresh = database(tmp_path / 'fresh')
    names = [each.revision for each in revisions.script(store.versions).iterate_revisions('heads', 'base')][::-1]
    assert migrate.pending(fresh, store.versions, store.table) == names
    assert store.upgrade(fresh) == names
    assert migrate.pending(fresh, store.versions, store.table) == store.upgrade(fresh) == []


def steps(store: Store, target: Database) -> Iterator[tuple[str, Schema]]:
    """Apply one revision after the other and yield what each leaves."""
    for revision in reversed(list(revisions.script(store.versions).iterate_revisions('heads', 'base'))):
        revisions._apply(target, store.table, revision)
        yield revision.revision, schema(target, store.table)


def taken_away(before: Schema, after: Schema) -> list[str]:
    """Name what daemons of the version before would miss, or be refused for."""
    found = [f'table {table} is gone' for table in before if table not in after]
    for table in before.keys() & after.keys():
        old, new = before[table], after[table]
        found += [f'{table}.{name} was {column}, is {new["columns"].get(name)}'
                  for name, column in old['columns'].items() if not _holds_more(column, new['columns'].get(name))]
        found += [f'{table}.{name} is new and must be filled'
                  for name, (_, nullable, default) in new['columns'].items()
                  if name not in old['columns'] and not nullable and default is None]
        # Rows of daemons of the version before have NULL in new columns, and NULL equals nothing.
        free = {name for name, (_, nullable, default) in new['columns'].items()
                if name not in old['columns'] and nullable and default is None}
        unique = new['unique'] - old['unique'] | {each[1] for each in new['indexes'] - old['indexes'] if each[2]}
        found += [f'{table}: {each} must be unique now' for each in unique if not free & set(each)]
        found += [f'{table}: {each} is a new foreign key' for each in new['foreign'] - old['foreign']]
    return found


def _holds_more(old: tuple[str, Any, Any], new: tuple[str, Any, Any] | None) -> bool:
    """Return whether a column is what it was, or a text that may be longer."""
    if new is None or old[1:] != new[1:]:
        return False
    sizes = [re.fullmatch(r'VARCHAR\(([0-9]+)\)', column[0]) for column in (old, new)]
    return old[0] == new[0] or (all(sizes) and int(sizes[0].group(1)) < int(sizes[1].group(1)))  # type: ignore[union-attr]


def test_each_revision_only_adds(store: Store, tmp_path: Path) -> None:
    before: Schema = {}
    for revision, after in steps(store, database(tmp_path / 'store')):
        allowed = STRICTER.get((store.name, revision), [])
        removed = REMOVED.get((store.name, revision), ())
        found = [each for each in taken_away(before, after) if each.partition(' ')[0] not in removed]
        assert found == allowed, revision
        before = after
    assert before


def test_what_is_taken_away_is_found() -> None:
    def tables(columns: dict[str, Any], unique: set[Any] | None = None) -> Schema:
        return {'t': {'columns': columns, 'key': [], 'unique': unique or set(), 'indexes': set(), 'foreign': set()}}
    old = tables({'a': ('TEXT', True, None)})
    assert taken_away(old, {}) == ['table t is gone']
    assert taken_away(old, tables({}))
    assert taken_away(old, tables({'a': ('TEXT', False, None)}))
    assert taken_away(old, tables({**old['t']['columns'], 'b': ('TEXT', False, None)}))
    assert taken_away(old, tables(old['t']['columns'], {('a',)}))
    wider = {**old['t']['columns'], 'b': ('TEXT', True, None)}
    assert not taken_away(old, tables(wider))
    assert not taken_away(old, tables(wider, {('a', 'b')}))
    assert taken_away(old, tables({**wider, 'b': ('TEXT', True, "''")}, {('a', 'b')}))
    short, long = tables({'a': ('VARCHAR(64)', True, None)}), tables({'a': ('VARCHAR(255)', True, None)})
    assert taken_away(long, short) and not taken_away(short, long)
    assert taken_away(short, tables({'a': ('VARCHAR(255)', False, None)}))


def test_longer_names_keep_what_is_there(tmp_path: Path) -> None:
    store = next(each for each in STORES if each.name == 'compute')
    target = database(tmp_path / 'store')
    rows = {'quota_classes': {'name': 'default', 'resource': 'cores', 'hard_limit': 7},
            'quotas': {'project_id': 'p1', 'user_id': 'ann', 'resource': 'cores', 'hard_limit': 3},
            'usages': {'project_id': 'p1', 'instances': 1, 'cores': 2, 'ram': 3},
            'keypairs': {'id': 5, 'user_id': 'ann', 'name': 'k', 'type': 'ssh', 'fingerprint': 'f', 'public_key': 'p',
                         'created_at': '2026-11-20 12:00:00.000000'}}

    def insert(connection: sa.Connection, table: str, row: dict[str, Any]) -> None:
        connection.execute(sa.text(f'INSERT INTO {table} ({", ".join(row)}) VALUES '
                                   f'({", ".join(f":{name}" for name in row)})'), row)
    for revision in reversed(list(revisions.script(store.versions).iterate_revisions('heads', 'base'))):
        if revision.path.endswith('_longer_names.py'):
            for table, row in rows.items():
                target.transaction(lambda connection, table=table, row=row: insert(connection, table, row))
        revisions._apply(target, store.table, revision)
    for table, row in rows.items():
        found = target.read(lambda connection, table=table: connection.execute(  # type: ignore[misc]
            sa.text(f'SELECT * FROM {table}')).mappings().all())
        assert [dict(each) for each in found] == [row]
    with pytest.raises(sa.exc.IntegrityError):
        with target.engine.begin() as connection:
            insert(connection, 'keypairs', {**rows['keypairs'], 'id': 6})
    target.transaction(lambda connection: connection.execute(sa.text(
        "INSERT INTO quotas (project_id, resource, hard_limit) VALUES ('p2', 'ram', 1)")))
    assert target.read(lambda connection: connection.execute(sa.text(
        "SELECT user_id FROM quotas WHERE project_id = 'p2'")).scalar_one()) == ''
