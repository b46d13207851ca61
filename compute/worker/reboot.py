"""Reboot a server on this host: softly, and hard when the guest does not obey or after a crash of the worker."""

from __future__ import annotations

from typing import Any

from compute import exception, states
from compute.objects.kinds.reboot import REBOOT
from compute.objects.nic import Nic
from compute.objects.operation import InstanceUpdate
from compute.virt.driver import Driver, Guest
from compute.worker.guest import GroupNames, guest_of, unnamed
from compute.worker.job import Job
from compute.worker.nics import Nics
from compute.worker.power import PowerHandler, changed


class Reboot(PowerHandler):
    """The ``reboot`` of one host."""

    def __init__(self, conf: Any, driver: Driver, nics: Nics, group_names: GroupNames = unnamed) -> None:
        super().__init__(conf, driver)
        self._nics, self._group_names = nics, group_names

    def run(self, job: Job) -> InstanceUpdate:
        """Reboot as asked; a soft reboot becomes a hard one rather than fail."""
        nics = self._softly(job) if job.ref.kind == REBOOT.name and not job.recovering else None
        if nics is None:
            job.stage('rebooting_hard')
            nics = self._nics.current(job)
            job.stage('reboot_started_hard')
            job.sure()
            guest = self._guest(job, nics)
            self._restore(guest)
            self._driver.reboot_hard(guest)
        return InstanceUpdate(vm_state=states.ACTIVE, power_state=states.RUNNING, clear_fault=True,
                              nics=changed(job.instance, nics))

    def _restore(self, guest: Guest) -> None:
        """Make a guest what it was that a move, which could not be undone or reverted, left set aside."""
        try:
            self._driver.guest_info(guest.instance.uuid)
        except exception.NotFound:
            self._driver.moves.restore(guest)

    def _softly(self, job: Job) -> tuple[Nic, ...] | None:
        """Return the NICs with which the guest started again; None when it did not obey."""
        job.stage('rebooting')
        nics = self._nics.current(job)
        job.stage('reboot_started')
        job.sure()
        obeyed = self._driver.reboot_soft(self._guest(job, nics), self.shutdown_timeout(job.instance), job.interrupt)
        return nics if obeyed else None

    def _guest(self, job: Job, nics: tuple[Nic, ...]) -> Guest:
        return guest_of(self._options, job.instance, nics, self._group_names, files=job.work.files)
