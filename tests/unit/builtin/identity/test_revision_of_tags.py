"""Revision 0003 notes the tags that projects have, so that filters find them."""

from __future__ import annotations

import pathlib

import sqlalchemy as sa
from oslo_config import cfg

from compute.builtin.identity.daemon import VERSION_TABLE, VERSIONS
from compute.builtin.identity.db import tables
from compute.conf import database as options
from compute.db import revisions
from compute.db.session import Database


def test_tags_of_projects_are_noted(tmp_path: pathlib.Path) -> None:
    conf = cfg.ConfigOpts()
    conf.register_opts(options.OPTS, options.GROUP)
    conf([])
    database = Database(f'sqlite:///{tmp_path}/identity', conf.database)
    steps = {step.revision: step for step in revisions.script(VERSIONS).iterate_revisions('heads', 'base')}
    for number in ('0001', '0002'):
        revisions._apply(database, VERSION_TABLE, steps[number])
    row = {'id': 'd', 'name': 'd', 'enabled': True, 'tags': [], 'options': {}, 'extra': {}}

    def fill(connection: sa.Connection) -> None:
        connection.execute(tables.domains.insert().values(row))
        for name, tags in (('p', ['a', 'ä', 'a']), ('q', [])):
            connection.execute(tables.projects.insert().values({**row, 'id': name, 'name': name, 'domain_id': 'd',
                                                                'tags': tags}))
    database.transaction(fill)
    revisions._apply(database, VERSION_TABLE, steps['0003'])
    noted = database.rows(sa.select(tables.project_tags).order_by(tables.project_tags.c.tag))
    assert [tuple(each) for each in noted] == [('p', 'a'), ('p', 'ä')]
    database.dispose()
