"""Start a stopped server on this host."""

from __future__ import annotations

from compute import states
from compute.objects.operation import InstanceUpdate
from compute.worker.guest import guest_of
from compute.worker.job import Job
from compute.worker.power import PowerHandler


class Start(PowerHandler):
    """The ``start`` of one host."""

    def first(self, job: Job) -> str:
        """Return the stage it begins with."""
        return 'powering_on'

    def run(self, job: Job) -> InstanceUpdate:
        """Define the guest anew and start it; a guest that runs is left alone."""
        job.stage('powering_on')
        job.sure()
        self._driver.power_on(guest_of(self._options, job.instance, job.instance.nics, self._group_names,
                                       files=job.work.files))
        return InstanceUpdate(vm_state=states.ACTIVE, power_state=states.RUNNING, clear_fault=True)
