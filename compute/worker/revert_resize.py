"""Revert a move: the new place removes the guest, the old one restores and starts it."""

from __future__ import annotations

import dataclasses
from typing import Any

from compute import exception, states
from compute.objects.kinds.kind import DESTINATION
from compute.objects.kinds.revert_resize import REVERT_RESIZE, RevertArgs
from compute.objects.operation import InstanceUpdate
from compute.virt.driver import Driver
from compute.worker.guest import GroupNames, guest_of
from compute.worker.job import Job
from compute.worker.moved_files import MovedFiles
from compute.worker.nics import Nics
from compute.worker.power import PowerHandler


class RevertResize(PowerHandler):
    """The ``revert_resize`` of one host."""

    def __init__(self, conf: Any, driver: Driver, nics: Nics, files: MovedFiles, group_names: GroupNames) -> None:
        super().__init__(conf, driver, group_names)
        self._nics, self._files = nics, files

    def run(self, job: Job) -> InstanceUpdate:
        """Run the leg of this host."""
        return self._leave(job) if job.leg.place == DESTINATION else self._come_back(job)

    def after_failure(self, job: Job) -> InstanceUpdate | None:
        """Say how the guest is here. What the server is then the conductor decides: resized still, or in ERROR."""
        seen = self.observe(job.instance)
        return None if seen is None else dataclasses.replace(seen, vm_state=None)

    def _leave(self, job: Job) -> InstanceUpdate:
        """Remove the guest from its new place; what is set aside on the same host stays.

        :raises Failed: ``disk_missing``: nothing is set aside on the same host.
        """
        job.stage('resize_reverting')
        plan = REVERT_RESIZE.plan_of(job.work.operation.plan)
        if plan.source == plan.destination and not self._driver.moves.is_aside(job.instance):
            raise exception.Failed(f'guest {job.ref.instance_uuid} cannot go back: nothing of it is set aside here',
                                   code='disk_missing')
        job.sure()
        self._driver.destroy(job.instance)
        return InstanceUpdate(power_state=states.SHUTDOWN)

    def _come_back(self, job: Job) -> InstanceUpdate:
        """Restore the guest as it was, with its ports, and start it if it ran."""
        job.stage('resize_restoring')
        args: RevertArgs = REVERT_RESIZE.args_of(job.work.operation.args)
        self._files.withdraw(job.ref.instance_uuid)
        nics = self._nics.moved(job)
        job.sure()
        guest = guest_of(self._options, dataclasses.replace(job.instance, flavor=args.flavor), nics, self._group_names,
                         files=job.work.files)
        self._driver.moves.restore(guest)
        power = states.SHUTDOWN
        if args.vm_state == states.ACTIVE:
            self._driver.power_on(guest)
            power = states.RUNNING
        return InstanceUpdate(vm_state=args.vm_state, power_state=power, launched=True, clear_fault=True, nics=nics)
