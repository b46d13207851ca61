"""Requests that came with an ``Idempotency-Key``: noted with their effect, answered later, removed with age.

The functions take the table, because every store has one of its own (``compute/db/tables/idempotency.py``).
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import Connection


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request. ``answer`` is opaque here; None while there is none."""

    id: str
    fingerprint: str
    request_id: str
    created_at: datetime.datetime
    answer: bytes | None = None


class Taken(Exception):
    """The key is in use: the effect of its request is committed. Nobody but the kernel sees this."""


def insert(connection: Connection, table: sa.Table, asked: Asked) -> None:
    """Note a request. :raises Taken: one with its id is there; waits for a transaction that is about to add it."""
    try:
        connection.execute(table.insert().values(id=asked.id, fingerprint=asked.fingerprint, answer=asked.answer,
                                                 request_id=asked.request_id, created_at=asked.created_at))
    except exc.IntegrityError:
        raise Taken from None


def find(connection: Connection, table: sa.Table, key: str) -> Asked | None:
    """Return the request of an id, or None."""
    row = connection.execute(sa.select(table).where(table.c.id == key)).first()
    return None if row is None else Asked(**row._mapping)


def answer(connection: Connection, table: sa.Table, key: str, content: bytes) -> None:
    """Add the answer to a request that is noted."""
    connection.execute(table.update().where(table.c.id == key).values(answer=content))


def purge(connection: Connection, table: sa.Table, before: datetime.datetime, limit: int) -> int:
    """Remove requests of before a time, ``limit`` at most; return how many."""
    old = [row.id for row in connection.execute(
        sa.select(table.c.id).where(table.c.created_at < before).order_by(table.c.created_at).limit(limit))]
    if old:
        connection.execute(table.delete().where(table.c.id.in_(old)))
    return len(old)
