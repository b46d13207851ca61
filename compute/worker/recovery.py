"""What a worker does first: finish what its predecessor began, and bring guests to what is intended.

A guest that the ledger does not know is reported and left alone. One whose server was deleted, or was built elsewhere
after it failed here, is removed: the ledger says so.
"""

from __future__ import annotations

import logging
from typing import Any

from compute import context as ctx
from compute import exception
from compute.objects.instance import Instance
from compute.objects.registration import Registration
from compute.virt.driver import Driver, GuestInfo
from compute.worker import departed
from compute.worker.guest import GroupNames, unnamed
from compute.worker.nics import Nics
from compute.worker.periodic.power_sync import PowerSync
from compute.worker.resume_guests import ResumeGuests
from compute.worker.runner import Runner

LOG = logging.getLogger(__name__)


class Recovery:
    """Runs once at each start: ``take_over`` when the worker is registered, ``run`` when it may act."""

    def __init__(self, conf: Any, driver: Driver, nics: Nics, runner: Runner, power_sync: PowerSync,
                 group_names: GroupNames = unnamed) -> None:
        self._driver, self._runner, self._power_sync = driver, runner, power_sync
        self._resume = ResumeGuests(conf, driver, nics, runner, power_sync.look, group_names)

    def take_over(self, registration: Registration) -> None:
        """Take over operations, which renews their leases from now on."""
        for ref in registration.held:
            LOG.info('%s of the worker before is taken over', ref)
            self._runner.submit(ctx.internal(ref.request_id), ref, recover=True)

    def run(self, registration: Registration) -> None:
        """Remove what the ledger says is gone, start what should run, report the rest."""
        self._drop_left_aside(registration)
        known = {instance.uuid: instance for instance in registration.instances}
        self._resume.begin(registration.instances)
        try:
            self._power_sync.run()  # which also removes those whose servers are gone
            self._report_strangers(known)
        except exception.ComputeError as error:  # whatever it is, the host can take work
            LOG.error('guests could not all be compared with the ledger, the next comparison tries again: %s',
                      error.message)

    def stop(self) -> None:
        """Start no more guests."""
        self._resume.stop()

    def _drop_left_aside(self, registration: Registration) -> None:
        """Remove what is set aside, or was fetched, of servers that left this host for good while it had no heartbeat.
        """
        for uuid in registration.left_aside:
            LOG.warning('files of guest %s are set aside or fetched here, and its server is elsewhere or deleted; they '
                        'are removed', uuid)
            try:
                self._driver.moves.drop_aside(departed.shell(uuid))
                self._driver.moves.drop_incoming(departed.shell(uuid))
            except exception.ComputeError as error:
                LOG.error('what is set aside of guest %s could not be removed: %s', uuid, error.message)

    def _ours(self) -> dict[str, GuestInfo]:
        return {guest.uuid: guest for guest in self._driver.guests() if guest.ours}

    def _report_strangers(self, known: dict[str, Instance]) -> None:
        for uuid, guest in self._ours().items():
            if uuid not in known and not self._runner.busy(uuid):
                LOG.error('guest %s (%s) is on this host and not in the ledger; it is left alone: look into it, and '
                          'remove it by hand if nobody needs it', guest.name, guest.uuid)
