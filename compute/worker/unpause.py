"""Resume a paused server on this host."""

from __future__ import annotations

from compute import states
from compute.objects.operation import InstanceUpdate
from compute.worker.job import Job
from compute.worker.power import PowerHandler


class Unpause(PowerHandler):
    """The ``unpause`` of one host."""

    def run(self, job: Job) -> InstanceUpdate:
        """Let the guest's processors run; a guest that runs is left alone."""
        job.stage('unpausing')
        job.sure()
        self._driver.power.unpause(job.instance)
        return InstanceUpdate(vm_state=states.ACTIVE, power_state=states.RUNNING, clear_fault=True)
