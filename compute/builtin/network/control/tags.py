"""Tags of networks, subnets, ports and security groups."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from compute.builtin.network.control.changes import Work
from compute.builtin.network.db import rows
from compute.builtin.network.db import tables as t
from compute.builtin.network.db.kinds import Kind
from compute.exception import Invalid, NotFound


def of(work: Work, ident: str, *, lock: bool = False) -> list[str]:
    """Return the tags of something, sorted; as they are now, and locked, if asked."""
    query = sa.select(t.tags.c.tag).where(t.tags.c.resource_id == ident).order_by(t.tags.c.tag)
    return list(work.connection.execute(query.with_for_update() if lock else query).scalars())


def replace(work: Work, kind: Kind, ident: str, wanted: Iterable[str]) -> list[str]:
    """Make the tags of something these and return them."""
    rows.get(work.connection, kind, ident, lock=True)
    return _replace(work, kind, ident, wanted)


def add(work: Work, kind: Kind, ident: str, tag: str, most: int) -> None:
    """Add a tag unless it is there. :raises Invalid: there are ``most`` already."""
    rows.get(work.connection, kind, ident, lock=True)
    held = of(work, ident, lock=True)
    if tag in held:
        return
    if len(held) >= most:
        raise Invalid(f'tags: there are {len(held)} already; the limit is {most}')
    _replace(work, kind, ident, [*held, tag])


def remove(work: Work, kind: Kind, ident: str, tag: str) -> None:
    """Remove a tag. :raises NotFound:"""
    rows.get(work.connection, kind, ident, lock=True)
    held = of(work, ident, lock=True)
    if tag not in held:
        raise missing(tag)
    _replace(work, kind, ident, [other for other in held if other != tag])


def missing(tag: str) -> NotFound:
    """Return the error for a tag that is not there."""
    return NotFound(f'Tag {tag} could not be found.', details={'type': 'TagNotFound'})


def _replace(work: Work, kind: Kind, ident: str, wanted: Iterable[str]) -> list[str]:
    listed = sorted(set(wanted))
    work.connection.execute(t.tags.delete().where(t.tags.c.resource_id == ident))
    for tag in listed:
        work.connection.execute(t.tags.insert().values(resource_id=ident, tag=tag))
    rows.change(work.connection, kind, ident, {})
    return listed
