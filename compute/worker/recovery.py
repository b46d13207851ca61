"""What a worker does first: finish what its predecessor began, and bring guests to what is intended.

A guest that the ledger does not know is reported and left alone. One whose server was deleted, or was built elsewhere
after it failed here, is removed: the ledger says so.
"""

from __future__ import annotations

import logging
from typing import Any

from compute import context as ctx
from compute import exception, states
from compute.objects.instance import Instance
from compute.objects.registration import Registration
from compute.virt.driver import Driver, GuestInfo
from compute.worker.guest import guest_of
from compute.worker.periodic.power_sync import PowerSync
from compute.worker.runner import Runner

LOG = logging.getLogger(__name__)


class Recovery:
    """Runs once at each start."""

    def __init__(self, conf: Any, driver: Driver, runner: Runner, power_sync: PowerSync) -> None:
        self._options, self._driver, self._runner, self._power_sync = conf.worker, driver, runner, power_sync

    def run(self, registration: Registration) -> None:
        """Take over operations, remove what the ledger says is gone, start what should run, report the rest."""
        for work in registration.held:
            LOG.info('operation %s (%s of %s) of the worker before is taken over at stage %s', work.operation.id,
                     work.operation.kind, work.instance.uuid, work.operation.stage or 'none')
            self._runner.submit(ctx.internal(work.operation.request_id), work, recover=True)
        known = {instance.uuid: instance for instance in registration.instances}
        try:
            self._resume(known, self._ours())
            self._power_sync.run()  # which also removes those whose servers are gone
            self._report_strangers(known)
        except exception.ComputeError as error:  # whatever it is, the host can take work
            LOG.error('guests could not all be compared with the ledger, the next comparison tries again: %s',
                      error.message)

    def _ours(self) -> dict[str, GuestInfo]:
        return {guest.uuid: guest for guest in self._driver.guests() if guest.ours}

    def _report_strangers(self, known: dict[str, Instance]) -> None:
        for uuid, guest in self._ours().items():
            if uuid not in known and not self._runner.busy(uuid):
                LOG.error('guest %s (%s) is on this host and not in the ledger; it is left alone: look into it, and '
                          'remove it by hand if nobody needs it', guest.name, guest.uuid)

    def _resume(self, known: dict[str, Instance], guests: dict[str, GuestInfo]) -> None:
        if not self._options.resume_guests:
            return
        for uuid, instance in known.items():
            guest = guests.get(uuid)
            off = guest is not None and guest.power_state in (states.SHUTDOWN, states.CRASHED)
            if instance.vm_state == states.ACTIVE and off and not self._runner.busy(uuid):
                try:
                    self._driver.power_on(guest_of(self._options, instance, instance.nics))
                    LOG.info('server %s was started: it should run', uuid)
                except exception.ComputeError as error:
                    LOG.error('server %s should run and cannot be started: %s', uuid, error.message)
