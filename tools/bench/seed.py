"""Puts servers into the store of a stack by SQL, as copies of one that was booted there, and takes them out again."""

from __future__ import annotations

import configparser
import pathlib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from cloud import Cloud
from measure import Times

from compute.db.tables import instances as table

MARK = 'bench-seeded'


@contextmanager
def seeded(cloud: Cloud, folder: pathlib.Path, count: int) -> Iterator[list[str]]:
    """Yield the ids of ``count`` servers that are in the store and nowhere else."""
    answered, _, (first, *_) = cloud.boot(1, 1, wired=True)
    assert isinstance(answered, Times)
    engine = sa.create_engine(_url(folder))
    try:
        ids = _copy(engine, first, count)
        yield ids or [first]
    finally:
        with engine.begin() as connection:
            connection.execute(table.delete().where(table.c.reservation_id == MARK))
        engine.dispose()
        cloud.delete([first], 1)


def _copy(engine: sa.Engine, first: str, count: int) -> list[str]:
    with engine.begin() as connection:
        row = dict(connection.execute(sa.select(table).where(table.c.uuid == first)).one()._mapping)
        del row['id']
        rows = [{**row, 'uuid': str(uuid.uuid4()), 'name': f'seeded-{number}', 'reservation_id': MARK,
                 'operation_id': None, 'host': None, 'node': None, 'launched_on': None} for number in range(count)]
        for start in range(0, count, 500):
            connection.execute(table.insert(), rows[start:start + 500])
    return [row['uuid'] for row in rows]


def _url(folder: pathlib.Path) -> str:
    """Return the URL of the controller's store, from a configuration file of the stack."""
    for path in sorted((folder / 'etc').glob('*.conf')):
        parser = configparser.RawConfigParser(strict=False)
        parser.read(path)
        if parser.has_option('database', 'connection'):
            return parser.get('database', 'connection')
    raise SystemExit(f'no file in {folder / "etc"} names [database] connection')
