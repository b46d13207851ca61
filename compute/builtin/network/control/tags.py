"""Tags of networks, subnets, ports and security groups."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from compute.builtin.network.control.changes import Work
from compute.builtin.network.db import rows
from compute.builtin.network.db import tables as t
from compute.builtin.network.db.kinds import Kind


def of(work: Work, ident: str) -> list[str]:
    """Return the tags of something, sorted."""
    return list(work.connection.execute(
        sa.select(t.tags.c.tag).where(t.tags.c.resource_id == ident).order_by(t.tags.c.tag)).scalars())


def replace(work: Work, kind: Kind, ident: str, wanted: Iterable[str]) -> list[str]:
    """Make the tags of something these and return them."""
    rows.get(work.connection, kind, ident, lock=True)
    listed = sorted(set(wanted))
    work.connection.execute(t.tags.delete().where(t.tags.c.resource_id == ident))
    for tag in listed:
        work.connection.execute(t.tags.insert().values(resource_id=ident, tag=tag))
    rows.change(work.connection, kind, ident, {})
    return listed
