"""The numbered list of revocations.

A number comes from a counter row that is locked until the transaction ends. So numbers appear in the order of commits:
who has seen a number has seen every smaller one, and a token that carries the number read before its rights is ended by
every later change of them.
"""

from __future__ import annotations

import time
from typing import Any

import sqlalchemy as sa

from compute.builtin.identity.db.tables import counters, revocations

_COUNTER = 'revocations'
_PAGE = 1000
MAX_LIFETIME = 604800
"""The largest token lifetime that may be configured, in seconds."""
GRACE = 172800
"""Seconds for which an expired token may still be shown by a service that finishes work begun with it."""


def start(connection: sa.Connection) -> None:
    """Put the counter into a fresh store."""
    connection.execute(counters.insert().values(name=_COUNTER, value=0))


def newest(connection: sa.Connection) -> int:
    """Return the number of the newest revocation ever made."""
    return int(connection.execute(sa.select(counters.c.value).where(counters.c.name == _COUNTER)).scalar_one())


def revoke(connection: sa.Connection, kind: str, value: str, expires_at: int | None = None) -> None:
    """End every token made so far that has (kind, value) among its subjects (see ``rest/claims.py``).

    :param expires_at: when the last such token expires; by default after the longest life that a token can have.
    """
    expires_at = expires_at or int(time.time()) + MAX_LIFETIME
    connection.execute(counters.update().where(counters.c.name == _COUNTER).values(value=counters.c.value + 1))
    connection.execute(revocations.insert().values(number=newest(connection), kind=kind, value=value,
                                                   expires_at=expires_at + GRACE))


def since(connection: sa.Connection, number: int) -> dict[str, Any]:
    """Return a page of what came after ``number``: events, number of the last one, and the newest number of all."""
    last = newest(connection)
    events: list[list[Any]] = []
    if last > number:
        table = revocations
        rows = connection.execute(
            sa.select(table.c.number, table.c.kind, table.c.value, table.c.expires_at)
            .where(table.c.number > number, table.c.number <= last).order_by(table.c.number).limit(_PAGE))
        events = [list(row) for row in rows]
    reached = events[-1][0] if len(events) == _PAGE else last
    return {'number': reached, 'newest': last, 'events': events}


def prune(connection: sa.Connection) -> int:
    """Forget revocations whose tokens have all expired; return how many."""
    return connection.execute(revocations.delete().where(revocations.c.expires_at < int(time.time()))).rowcount
