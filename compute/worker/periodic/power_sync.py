"""Keeps what is known of guests true: events from the hypervisor at once, a full comparison now and then."""

from __future__ import annotations

import logging

from compute import concurrency, exception, states
from compute.virt.driver import Driver, GuestEvent
from compute.worker.reports import Reporter
from compute.worker.runner import Runner

LOG = logging.getLogger(__name__)


class PowerSync:
    """Reports how guests are; stops those that the conductor says should be off. Servers that are worked on are
    skipped."""

    def __init__(self, reporter: Reporter, driver: Driver, runner: Runner) -> None:
        self._reporter, self._driver, self._runner = reporter, driver, runner
        self._pool = concurrency.Pool('guest-events', 1, queue=1000)

    def noticed(self, event: GuestEvent) -> None:
        """Take an event of the hypervisor in."""
        try:
            self._pool.submit(self._report_one, event.uuid)
        except concurrency.Pool.Full:
            LOG.warning('too many events; the next full comparison will see %s', event.uuid)

    def run(self) -> None:
        """Compare all guests."""
        self._report({guest.uuid: guest.power_state for guest in self._driver.guests() if guest.ours})

    def _report_one(self, uuid: str) -> None:
        try:
            self._report({uuid: self._driver.guest_info(uuid).power_state})
        except exception.NotFound:
            LOG.debug('guest %s is gone', uuid)
        except exception.ComputeError as error:
            LOG.warning('the state of %s could not be reported: %s', uuid, error.message)

    def _report(self, power_states: dict[str, int]) -> None:
        idle = {uuid: power for uuid, power in power_states.items()
                if not self._runner.busy(uuid) and power != states.NOSTATE}
        if not idle:
            return
        to_stop = set(self._reporter.observed(idle))
        for instance in (self._reporter.instances() if to_stop else ()):
            if instance.uuid in to_stop and not self._runner.busy(instance.uuid):
                LOG.warning('server %s is stopped and its guest runs; it is stopped again', instance.uuid)
                self._driver.power_off(instance, 0)
