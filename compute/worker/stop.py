"""Stop a running server on this host."""

from __future__ import annotations

from compute import states
from compute.objects.operation import InstanceUpdate
from compute.worker.job import Job
from compute.worker.power import PowerHandler


class Stop(PowerHandler):
    """The ``stop`` of one host."""

    def run(self, job: Job) -> InstanceUpdate:
        """Ask the guest to shut down; its power is cut when it does not obey in time."""
        job.stage('powering_off')
        job.sure()
        self._driver.power_off(job.instance, self.shutdown_timeout(job.instance), job.interrupt)
        return InstanceUpdate(vm_state=states.STOPPED, power_state=states.SHUTDOWN, clear_fault=True)
