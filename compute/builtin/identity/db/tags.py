"""Tags of projects: a list in the project's row, which answers show, and a row for each, which filters look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sqlalchemy as sa

from compute.builtin.identity.db.nouns import PROJECTS, Row
from compute.builtin.identity.db.tables import project_tags, projects

FILTERS = ('tags', 'tags-any', 'not-tags', 'not-tags-any')
_C = project_tags.c


def write(connection: sa.Connection, project_id: str, tags: Iterable[str]) -> Row:
    """Give a project exactly these tags and return it."""
    row = PROJECTS.update(connection, project_id, {'tags': list(dict.fromkeys(tags))})
    note(connection, row)
    return row


def note(connection: sa.Connection, project: Row) -> None:
    """Update the rows of the tags from the row of the project."""
    connection.execute(project_tags.delete().where(_C.project_id == project['id']))
    for tag in project['tags']:
        connection.execute(project_tags.insert().values(project_id=project['id'], tag=tag))


def fitting(asked: Mapping[str, str]) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of the filters: has all tags, any, not all, not any."""
    found: list[sa.ColumnElement[bool]] = []
    for key in FILTERS:
        tags = sorted({tag for tag in asked.get(key, '').split(',') if tag})
        if not tags:
            continue
        having = sa.select(_C.project_id).where(_C.tag.in_(tags)).group_by(_C.project_id)
        if not key.endswith('-any'):
            having = having.having(sa.func.count() == len(tags))
        inside = projects.c.id.in_(having)
        found.append(sa.not_(inside) if key.startswith('not-') else inside)
    return found
