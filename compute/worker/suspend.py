"""Suspend a server on this host: its memory is saved, its guest is stopped."""

from __future__ import annotations

from compute import states
from compute.objects.operation import InstanceUpdate
from compute.worker.job import Job
from compute.worker.power import PowerHandler


class Suspend(PowerHandler):
    """The ``suspend`` of one host."""

    def run(self, job: Job) -> InstanceUpdate:
        """Save the guest's memory and stop it; a guest that is saved already is left alone."""
        job.stage('suspending')
        job.sure()
        self._driver.power.suspend(job.instance)
        return InstanceUpdate(vm_state=states.SUSPENDED_VM, power_state=states.SHUTDOWN, clear_fault=True)
