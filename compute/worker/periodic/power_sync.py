"""Keeps what is known of guests true: events from the hypervisor at once, a full comparison now and then."""

from __future__ import annotations

import logging
from collections import Counter

from compute import concurrency, exception, states
from compute.objects.instance import Instance
from compute.virt.driver import Driver, GuestEvent
from compute.worker import departed
from compute.worker.reports import Reporter
from compute.worker.runner import Runner

LOG = logging.getLogger(__name__)


class PowerSync:
    """Reports how guests are; stops those that the conductor says should be off, and removes those whose servers are
    gone from here. Servers that are worked on are skipped."""

    def __init__(self, reporter: Reporter, driver: Driver, runner: Runner) -> None:
        self._reporter, self._driver, self._runner = reporter, driver, runner
        self._pool = concurrency.Pool('guest-events', 1, queue=1000)
        self._seen: Counter[int] = Counter()
        self._stopped = False

    def noticed(self, event: GuestEvent) -> None:
        """Take an event of the hypervisor in."""
        self.look(event.uuid)

    def look(self, uuid: str) -> None:
        """Report soon how a guest is."""
        try:
            self._pool.submit(self._report_one, uuid)
        except concurrency.Pool.Full:
            LOG.warning('too many events; the next full comparison will see %s', uuid)

    def run(self) -> None:
        """Compare all guests."""
        after, kept = self._runner.newest(), self._runner.kept()
        found = {guest.uuid: guest.power_state for guest in self._driver.guests() if guest.ours}
        self._seen = Counter(found.values())
        self._report(found, after, kept)

    def stop(self) -> None:
        """Report nothing more: a host that shuts down turns off guests that should run again."""
        self._stopped = True

    def seen(self) -> list[tuple[str, float, str]]:
        """Return how many guests there were at the last comparison, by power state: name of the metric, number, state.
        """
        return [('compute_worker_guests', number, states.POWER_NAMES.get(power, 'unknown'))
                for power, number in self._seen.items()]

    def _report_one(self, uuid: str) -> None:
        after, kept = self._runner.newest(), self._runner.kept()
        try:
            self._report({uuid: self._driver.guest_info(uuid).power_state}, after, kept)
        except exception.NotFound:
            LOG.debug('guest %s is gone', uuid)
        except exception.ComputeError as error:
            LOG.warning('the state of %s could not be reported: %s', uuid, error.message)

    def _report(self, power_states: dict[str, int], after: dict[str, int], kept: frozenset[str]) -> None:
        """``after`` and ``kept`` are of before it was looked: who was kept then may have been started since."""
        idle = {uuid: power for uuid, power in power_states.items()
                if uuid not in kept and not self._runner.busy(uuid) and power != states.NOSTATE}
        if self._stopped or not idle:
            return
        wrong = self._reporter.observed(idle, {uuid: after[uuid] for uuid in idle if uuid in after})
        for uuid in wrong:
            try:
                with self._runner.alone(uuid):  # an operation that comes now runs after us, on what we leave
                    here = {instance.uuid: instance for instance in self._reporter.instances()}
                    self._mend(uuid, here.get(uuid))
            except exception.ComputeError as error:  # the others are looked at all the same
                LOG.error('guest %s is not as it should be, and that could not be mended: %s', uuid, error.message)

    def _mend(self, uuid: str, instance: Instance | None) -> None:
        if instance is None:
            guest = self._driver.guest_info(uuid)
            if guest.ours:
                departed.remove(self._driver, guest)
            return
        if instance.vm_state != states.STOPPED or instance.task_state is not None:
            return  # the answer was late: something was asked for meanwhile
        LOG.warning('server %s is stopped and its guest runs; it is stopped again', uuid)
        self._driver.power_off(instance, 0)
