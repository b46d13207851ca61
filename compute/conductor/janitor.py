"""Removes what is past its retention, in small transactions. One conductor at a time does this."""

from __future__ import annotations

import datetime
import logging

from sqlalchemy.engine import Connection

from compute.conductor.conductor import Conductor
from compute.db import idempotency, instances, operations, services
from compute.db.tables import idempotency as answered
from compute.objects.value import now

LOG = logging.getLogger(__name__)


class Janitor:
    """The clean-up of deleted servers, ended operations, and answers kept for requests that come again."""

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor

    def run(self) -> int:
        """Remove all that is due, if this conductor may; return how many rows went."""
        conductor, options = self._conductor, self._conductor.conf.conductor
        owner = f'{conductor.owner}#{conductor.incarnation}'
        if not conductor.db.transaction(lambda connection: services.take_lease(
                connection, 'janitor', owner, options.janitor_interval * 2)):
            return 0
        removed = self._batches(instances.purge, options.deleted_retention)
        removed += self._batches(operations.purge, options.operation_retention)
        removed += self._batches(_purge_answers, conductor.conf.idempotency_retention)
        if removed:
            LOG.info('%d rows past their retention were removed', removed)
        return removed

    def _batches(self, purge: object, retention: int) -> int:
        before = now() - datetime.timedelta(seconds=retention)
        batch, total = self._conductor.conf.conductor.janitor_batch, 0
        while True:
            count: int = self._conductor.db.transaction(
                lambda connection: purge(connection, before, batch))  # type: ignore[operator]
            total += count
            if count < batch:
                return total


def _purge_answers(connection: Connection, before: datetime.datetime, limit: int) -> int:
    return idempotency.purge(connection, answered, before, limit)
