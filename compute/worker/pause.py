"""Pause a running server on this host."""

from __future__ import annotations

from compute import states
from compute.objects.operation import InstanceUpdate
from compute.worker.job import Job
from compute.worker.power import PowerHandler


class Pause(PowerHandler):
    """The ``pause`` of one host."""

    def run(self, job: Job) -> InstanceUpdate:
        """Stop the guest's processors; a paused guest is left alone."""
        job.stage('pausing')
        job.sure()
        self._driver.power.pause(job.instance)
        return InstanceUpdate(vm_state=states.PAUSED_VM, power_state=states.PAUSED, clear_fault=True)
