"""Confirms resizes and cold migrations that nobody confirmed or reverted within the window."""

from __future__ import annotations

import datetime
import logging

from compute import context as ctx
from compute import exception
from compute.conductor.conductor import Conductor
from compute.control.instances import confirm_resize
from compute.db import instances, migrations, services
from compute.objects.migration import Migration
from compute.objects.value import now

LOG = logging.getLogger(__name__)
_BATCH = 100


class Unconfirmed:
    """The periodic task. One conductor at a time runs it."""

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor
        self._lease = f'{conductor.owner}#{conductor.incarnation}'

    def run(self) -> int:
        """Confirm what waits for longer than the window; return how many confirmations began."""
        options = self._conductor.conf.conductor
        if not options.resize_confirm_window or not self._may_run():
            return 0
        before = now() - datetime.timedelta(seconds=options.resize_confirm_window)
        waiting = self._conductor.db.read(lambda connection: migrations.waiting_since(connection, before, _BATCH))
        return sum(self._confirm(each) for each in waiting)

    def _may_run(self) -> bool:
        seconds = self._conductor.conf.conductor.resize_confirm_interval * 3
        return self._conductor.db.transaction(lambda connection: services.take_lease(
            connection, 'unconfirmed', self._lease, seconds))

    def _confirm(self, waiting: Migration) -> bool:
        """Begin a confirmation; one that its user decided meanwhile is left alone."""
        try:
            instance = self._conductor.db.read(lambda connection: instances.get(connection, waiting.instance_uuid))
            confirm_resize.confirm_resize(self._conductor.cloud, ctx.internal(ctx.new_request_id()), instance)
        except (exception.NotFound, exception.Conflict) as error:
            LOG.info('the %s of server %s is not confirmed now: %s', waiting.type, waiting.instance_uuid, error.message)
            return False
        LOG.info('the %s of server %s is confirmed: nobody decided for %d s', waiting.type, waiting.instance_uuid,
                 self._conductor.conf.conductor.resize_confirm_window)
        return True
