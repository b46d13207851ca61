"""Key pairs of users. The private half is never stored."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from compute import exception
from compute.db.tables import keypairs as table
from compute.objects.keypair import Keypair
from compute.objects.value import now


def from_row(row: Any) -> Keypair:
    """Return the key pair of a row."""
    return Keypair(**row._mapping)


def get(connection: Connection, user_id: str, name: str) -> Keypair:
    """Return a user's key pair. :raises NotFound: there is none of that name."""
    row = connection.execute(sa.select(table).where(table.c.user_id == user_id, table.c.name == name)).first()
    if row is None:
        raise exception.NotFound(f'Keypair {name} not found for user {user_id}', code='keypair_not_found')
    return from_row(row)


def page(connection: Connection, user_id: str, limit: int | None = None, marker: str | None = None) -> list[Keypair]:
    """Return a user's key pairs by name, after the one called ``marker``. :raises Invalid: there is no such marker."""
    query = sa.select(table).where(table.c.user_id == user_id).order_by(table.c.name)
    if marker is not None:
        if connection.execute(query.where(table.c.name == marker)).first() is None:
            raise exception.Invalid(f'marker [{marker}] not found', code='marker_not_found')
        query = query.where(table.c.name > marker)
    return [from_row(row) for row in connection.execute(query if limit is None else query.limit(limit))]


def count(connection: Connection, user_id: str) -> int:
    """Return how many key pairs a user has."""
    return int(connection.execute(sa.select(sa.func.count()).where(table.c.user_id == user_id)).scalar_one())


def insert(connection: Connection, keypair: Keypair) -> Keypair:
    """Add a key pair and return it with id and time. :raises Conflict: the user has one of that name."""
    try:
        with connection.begin_nested():
            connection.execute(table.insert().values(
                user_id=keypair.user_id, name=keypair.name, type=keypair.type, fingerprint=keypair.fingerprint,
                public_key=keypair.public_key, created_at=now()))
    except IntegrityError:
        raise exception.Conflict(f"Key pair '{keypair.name}' already exists.", code='keypair_exists') from None
    return get(connection, keypair.user_id, keypair.name)


def delete(connection: Connection, user_id: str, name: str) -> None:
    """Remove a key pair; servers keep their copy. :raises NotFound: there is none of that name."""
    if not connection.execute(table.delete().where(table.c.user_id == user_id, table.c.name == name)).rowcount:
        raise exception.NotFound(f'Keypair {name} not found for user {user_id}', code='keypair_not_found')
