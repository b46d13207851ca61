"""Images on MariaDB and PostgreSQL: COMPUTE_TEST_MYSQL_URL and COMPUTE_TEST_PG_URL name databases to use.

The tables of the image daemon in them are dropped before and after.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from compute.builtin.image.daemon import VERSION_TABLE
from compute.builtin.image.db.tables import metadata
from tests.api.image import test_image_data, test_image_idempotency, test_image_ids, test_image_lists
from tests.api.image.support import Images, make_conf
from tests.unit.builtin.image import test_sweep

daemon, library = test_sweep.daemon, test_image_lists.library


@pytest.fixture(scope='module', params=['COMPUTE_TEST_MYSQL_URL', 'COMPUTE_TEST_PG_URL'])
def engine(request: pytest.FixtureRequest) -> Iterator[sa.Engine]:
    """A real server, without our tables before and after."""
    found = os.environ.get(request.param)
    if not found:
        pytest.skip(f'{request.param} is not set')
    engine = sa.create_engine(found)
    _drop(engine)
    yield engine
    _drop(engine)
    engine.dispose()


@pytest.fixture(autouse=True)
def url(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> str:
    """Its database, without rows."""
    found = engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv('IMAGE_TEST_DATABASE', found)
    if sa.inspect(engine).has_table('images'):
        with engine.begin() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())
    return found


@pytest.fixture
def site(url: str, tmp_path: pathlib.Path) -> Iterator[Callable[..., Images]]:
    """Makes daemons with the given options."""
    made: list[Images] = []

    def make(**options: Any) -> Images:
        made.append(Images(make_conf(tmp_path, **options)))
        return made[-1]
    yield make
    for each in made:
        each.close()


@pytest.fixture
def images(site: Callable[..., Images]) -> Images:
    """A daemon with default options."""
    return site()


def test_names_and_tags_differ_by_case(images: Images) -> None:
    images.make(name='Debian', tags=['a', 'A'], key='1', Key='2')
    assert images.names('?name=debian') == [] and images.names('?tag=A&Key=2') == ['Debian']
    assert images.names('?Key=1') == []


def test_a_name_may_hold_any_character(images: Images) -> None:
    images.make(name='名前 🐧')
    assert images.names() == ['名前 🐧']


def _drop(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        metadata.drop_all(connection)
        connection.execute(sa.text(f'DROP TABLE IF EXISTS {VERSION_TABLE}'))


for _module in (test_image_data, test_image_idempotency, test_image_ids, test_image_lists, test_sweep):
    globals().update({name: item for name, item in vars(_module).items() if name.startswith('test_')})
for _elsewhere in ('test_ranges', 'test_a_disk_that_fails_leaves_nothing', 'test_what_cannot_be_asked',
                   'test_lies_are_refused_and_leave_nothing'):
    del globals()[_elsewhere]  # no database has a part in these
