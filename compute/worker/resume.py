"""Resume a suspended server on this host from its saved memory."""

from __future__ import annotations

from typing import Any

from compute import states
from compute.objects.operation import InstanceUpdate
from compute.virt.driver import Driver
from compute.worker.guest import GroupNames, guest_of, unnamed
from compute.worker.job import Job
from compute.worker.nics import Nics
from compute.worker.power import PowerHandler, changed


class Resume(PowerHandler):
    """The ``resume`` of one host."""

    off_means = states.SUSPENDED_VM

    def __init__(self, conf: Any, driver: Driver, nics: Nics, group_names: GroupNames = unnamed) -> None:
        super().__init__(conf, driver)
        self._nics, self._group_names = nics, group_names

    def run(self, job: Job) -> InstanceUpdate:
        """Start the guest from its saved memory; it boots if that is lost. A guest that runs is left alone."""
        job.stage('resuming')
        nics = self._nics.current(job)
        job.sure()
        self._driver.power.resume(guest_of(self._options, job.instance, nics, self._group_names, files=job.work.files))
        return InstanceUpdate(vm_state=states.ACTIVE, power_state=states.RUNNING, clear_fault=True,
                              nics=changed(job.instance, nics))
