"""Delivers events to Compute (os-server-external-events), and goes on trying while it does not take them."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from compute.builtin.network.db import tables as t
from compute.builtin.network.db.rows import Row, by_key
from compute.clients.compute import Events
from compute.db.session import Database
from compute.exception import ComputeError, Invalid, NotFound, Stale
from compute.objects.value import now

LOG = logging.getLogger(__name__)
_BATCH = 100
_LEASE = 60.0
_FIRST_DELAY = 1.0
_NO_HOST, _EARLY_ATTEMPTS = 422, 5


class Outbox:
    """One pass of ``drain`` sends what is due. Several daemons may drain at the same time: each row is sent by one."""

    def __init__(self, database: Database, options: Any, events: Events) -> None:
        self._database, self._options, self._events = database, options, events

    def drain(self) -> int:
        """Send due events, oldest first, until none is left or Compute does not answer; return how many were sent."""
        sent = 0
        while due := self._due():
            rows = self._claim(due)
            done = self._deliver(rows) if rows else 0
            sent += done
            # Whoever writes another one meanwhile wakes this again.
            if done < len(rows) or len(due) < _BATCH:
                break
        return sent

    def pending(self) -> int:
        """Return how many events wait."""
        return int(self._database.scalar(sa.select(sa.func.count()).select_from(t.outbox)) or 0)

    def _due(self) -> list[Row]:
        query = sa.select(t.outbox).where(t.outbox.c.due_at <= now()).order_by(t.outbox.c.id).limit(_BATCH)
        return [dict(row._mapping) for row in self._database.rows(query)]

    def _claim(self, due: Sequence[Row]) -> list[Row]:
        """Take rows for the time of one attempt, and return those that another daemon did not take."""
        try:
            return self._take(due)
        except Stale:
            return [mine for row in due for mine in self._take_one(row)]

    def _take_one(self, row: Row) -> list[Row]:
        try:
            return self._take([row])
        except Stale:
            return []

    def _take(self, rows: Sequence[Row]) -> list[Row]:
        """Take all of these: who raises ``attempts`` has the row. :raises Stale: another has one; none is taken."""
        until = now() + datetime.timedelta(seconds=_LEASE)

        def take(connection: Any) -> None:
            for attempts, alike in by_key(rows, 'attempts').items():
                taken = connection.execute(t.outbox.update().where(
                    t.outbox.c.id.in_([row['id'] for row in alike]), t.outbox.c.attempts == attempts).values(
                        attempts=attempts + 1, due_at=until))
                if taken.rowcount != len(alike):
                    raise Stale('another daemon sends some of these events')
        self._database.transaction(take)
        return [{**row, 'attempts': row['attempts'] + 1} for row in rows]

    def _deliver(self, rows: Sequence[Row]) -> int:
        answers: Any = ()
        try:
            answers = self._events.send([_event(row) for row in rows])
        except (NotFound, Invalid) as error:
            if len(rows) > 1:
                return sum(self._deliver([row]) for row in rows)
            LOG.info('event %s of port %s for server %s: Compute does not want it: %s', rows[0]['name'], rows[0]['tag'],
                     rows[0]['server_uuid'], error.message)
        except Exception as error:
            self._later(rows, getattr(error, 'message', '') or str(error))
            if not isinstance(error, ComputeError):
                LOG.warning('sending events to Compute failed', exc_info=True)
            return 0
        early = _too_early(rows, answers)
        if early:
            self._later(early, 'their servers have no host yet')
        self._forget([row for row in rows if row not in early])
        return len(rows)

    def _forget(self, rows: Sequence[Row]) -> None:
        ids = [row['id'] for row in rows]
        delete = t.outbox.delete().where(t.outbox.c.id.in_(ids))
        self._database.transaction(lambda connection: connection.execute(delete))

    def _later(self, rows: Sequence[Row], reason: str) -> None:
        at = now()
        old = [row for row in rows if (at - row['created_at']).total_seconds() > self._options.event_give_up]
        if old:
            LOG.error('%d events were given up, the oldest of %s for server %s: %s', len(old), old[0]['created_at'],
                      old[0]['server_uuid'], reason)
            self._forget(old)
        LOG.warning('%d events for Compute wait to be sent again: %s', len(rows) - len(old), reason)

        def postpone(connection: Any) -> None:
            for row in rows:
                delay = min(self._options.event_max_delay, _FIRST_DELAY * 2 ** min(row['attempts'] - 1, 16))
                connection.execute(t.outbox.update().where(t.outbox.c.id == row['id']).values(
                    due_at=at + datetime.timedelta(seconds=delay)))
        self._database.transaction(postpone)


def _too_early(rows: Sequence[Row], answers: Any) -> list[Row]:
    """Return the events that Compute answered with 422, as it does for servers without a host yet."""
    codes = {(answer.get('server_uuid'), answer.get('tag')): answer.get('code') for answer in answers or ()}
    return [row for row in rows
            if codes.get((row['server_uuid'], row['tag'])) == _NO_HOST and row['attempts'] < _EARLY_ATTEMPTS]


def _event(row: Row) -> dict[str, str]:
    return {name: row[name] for name in ('name', 'server_uuid', 'tag', 'status')}
