"""With which projects an image is shared."""

from __future__ import annotations

import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from compute.builtin.image.db.tables import images, members
from compute.builtin.image.record import Image, Member
from compute.db.session import Database
from compute.exception import Conflict, NotFound, TooLarge


def is_member(db: Database, image_id: str, project_id: str) -> bool:
    """Tell whether an image is shared with a project, accepted or not."""
    return db.row(sa.select(members.c.status).where(
        members.c.image_id == image_id, members.c.member_id == project_id)) is not None


def listed(db: Database, image: Image, only: str | None = None) -> list[Member]:
    """Return the members of an image, or the one that is the project ``only``."""
    statement = sa.select(members).where(members.c.image_id == image.id).order_by(members.c.created_at,
                                                                                members.c.member_id)
    if only is not None:
        statement = statement.where(members.c.member_id == only)
    return [_member(row, image) for row in db.rows(statement)]


def get(db: Database, image: Image, member_id: str) -> Member:
    """Return one member. :raises NotFound:"""
    found = listed(db, image, member_id)
    if not found:
        raise NotFound(f'{member_id} not found in the member list of the image {image.id}.', code='member_not_found')
    return found[0]


def add(db: Database, image: Image, member_id: str, now: datetime.datetime, limit: int) -> Member:
    """Share an image. :raises Conflict: it is shared with that project already. :raises TooLarge: over the limit."""
    def run(connection: Connection) -> None:
        connection.execute(sa.select(images.c.id).where(images.c.id == image.id).with_for_update())
        known = {row.member_id for row in connection.execute(
            sa.select(members.c.member_id).where(members.c.image_id == image.id))}
        if member_id in known:
            raise Conflict(f'Image {image.id} is already associated with member {member_id}.', code='member_exists')
        if len(known) >= limit:
            raise TooLarge(f'Image {image.id} has {len(known)} members; the limit is {limit}.', code='member_limit')
        connection.execute(members.insert().values(image_id=image.id, member_id=member_id, status='pending',
                                                   created_at=now, updated_at=now))
    db.transaction(run)
    return get(db, image, member_id)


def set_status(db: Database, image: Image, member_id: str, status: str, now: datetime.datetime) -> Member:
    """Accept, reject or leave open. :raises NotFound: no such member."""
    _execute(db, members.update().where(members.c.image_id == image.id, members.c.member_id == member_id)
             .values(status=status, updated_at=now))
    return get(db, image, member_id)


def remove(db: Database, image: Image, member_id: str) -> None:
    """Stop sharing. :raises NotFound: no such member."""
    get(db, image, member_id)
    _execute(db, members.delete().where(members.c.image_id == image.id, members.c.member_id == member_id))


def _execute(db: Database, statement: Any) -> None:
    db.transaction(lambda connection: connection.execute(statement).rowcount)


def _member(row: Any, image: Image) -> Member:
    return Member(image_id=row.image_id, member_id=row.member_id, status=row.status, project_id=image.owner,
                  created_at=row.created_at, updated_at=row.updated_at)
