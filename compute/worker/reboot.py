"""Reboot a server on this host: softly, and hard when the guest does not obey or after a crash of the worker."""

from __future__ import annotations

from compute import states
from compute.objects.operation import InstanceUpdate
from compute.worker.guest import guest_of
from compute.worker.job import Job
from compute.worker.power import PowerHandler


class Reboot(PowerHandler):
    """The ``reboot`` of one host."""

    def first(self, job: Job) -> str:
        """Return the stage it begins with."""
        return 'rebooting' if job.args.get('type') == 'SOFT' else 'rebooting_hard'

    def run(self, job: Job) -> InstanceUpdate:
        """Reboot as asked; a soft reboot becomes a hard one rather than fail."""
        if job.args.get('type') != 'SOFT' or job.recovering or not self._softly(job):
            job.stage('rebooting_hard')
            job.stage('reboot_started_hard')
            job.sure()
            self._driver.reboot_hard(guest_of(self._options, job.instance, job.instance.nics, self._group_names,
                                              files=job.work.files))
        return InstanceUpdate(vm_state=states.ACTIVE, power_state=states.RUNNING, clear_fault=True)

    def _softly(self, job: Job) -> bool:
        job.stage('rebooting')
        job.stage('reboot_started')
        job.sure()
        return self._driver.reboot_soft(job.instance, self.shutdown_timeout(job.instance), job.cancelled)
