"""Resizes and cold migrations on their hosts: the source sets the guest aside, the destination adopts and starts it.

Both ends may be one host, and then nothing is transferred. What was set aside stays until the move is confirmed.

A destination that was cut off goes on: what was fetched is not fetched again, and a guest that was adopted stays.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import pathlib
from typing import Any

from compute import exception, states
from compute.clients.image import Images
from compute.objects.instance import Instance
from compute.objects.kinds import kind_of
from compute.objects.kinds.kind import SOURCE
from compute.objects.kinds.moving import MoveArgs, MovePlan
from compute.objects.nic import Nic
from compute.objects.operation import InstanceUpdate
from compute.virt.driver import Driver, Guest, ImageStream
from compute.worker.guest import GroupNames, guest_of
from compute.worker.job import Job
from compute.worker.moved_files import MovedFiles, is_lost
from compute.worker.nics import Nics
from compute.worker.power import PowerHandler

LOG = logging.getLogger(__name__)


class Move(PowerHandler):
    """The ``resize`` and the ``migrate`` of one host."""

    def __init__(self, conf: Any, driver: Driver, images: Images, nics: Nics, files: MovedFiles,
                 group_names: GroupNames) -> None:
        super().__init__(conf, driver, group_names)
        self._images, self._nics, self._files = images, nics, files

    def run(self, job: Job) -> InstanceUpdate:
        """Run the leg of this host."""
        return self._leave(job) if job.leg.place == SOURCE else self._arrive(job)

    def recover(self, job: Job) -> None:
        """Nothing is undone before it goes on."""

    def undo(self, job: Job) -> None:
        """Undo the leg of this host: the source has the guest again, the destination has nothing of it."""
        if job.leg.place == SOURCE:
            self._come_back(job)
        elif not self._is_source(job):
            self._driver.destroy(job.instance)
        else:  # here it waits, set aside, for the undo of the first leg
            self._forget_new_size(job)

    def after_failure(self, job: Job) -> InstanceUpdate | None:
        """Say how the guest is at its source; a destination has none of it."""
        return self.observe(job.instance) if job.leg.place == SOURCE else None

    # -- source --

    def _leave(self, job: Job) -> InstanceUpdate:
        job.stage('resize_migrating')
        job.sure()
        if not self._driver.moves.is_aside(job.instance):
            with contextlib.suppress(exception.NotFound):  # without a definition it is off; whether it is here is seen
                self._driver.power_off(job.instance, self.shutdown_timeout(job.instance), job.interrupt)
            job.sure()
        files = self._driver.moves.set_aside(job.instance)
        job.carry = self._files.offer(job, _plan(job), files)
        return InstanceUpdate(power_state=states.SHUTDOWN)

    def _come_back(self, job: Job) -> None:
        """Restore the guest with its ports, and start it if it ran."""
        self._files.withdraw(job.ref.instance_uuid)
        nics = self._nics.moved(job)
        job.sure()
        guest = self._guest(job, job.instance, nics)
        self._driver.moves.restore(guest)
        if _args(job).vm_state == states.ACTIVE:
            self._driver.power_on(guest)

    # -- destination --

    def _arrive(self, job: Job) -> InstanceUpdate:
        instance = dataclasses.replace(job.instance, flavor=_args(job).flavor)
        files = None if self._is_adopted(job) else self._fetch(job, instance)
        job.stage('resize_finish')
        nics = self._nics.moved(job)
        job.sure()
        guest = self._guest(job, instance, nics)
        if files is not None:
            self._driver.moves.adopt(guest, files)
        else:
            self._driver.moves.drop_incoming(job.instance)
        power = states.SHUTDOWN
        if _args(job).vm_state == states.ACTIVE:
            self._driver.power_on(guest)
            power = states.RUNNING
        return InstanceUpdate(power_state=power, launched=True, clear_fault=True, nics=nics)

    def _is_adopted(self, job: Job) -> bool:
        """Return whether the operation was cut off here after the guest was adopted: it may run."""
        return 'resize_finish' in (stage.name for stage in job.may_have_reached()) and self._is_here(job)

    def _fetch(self, job: Job, instance: Instance) -> dict[str, pathlib.Path]:
        """Have the images and the files of the guest here. Images that the service has lost come from the source."""
        job.stage('resize_migrated')
        job.sure()
        try:
            self._prepare(job, instance, lambda image_id: self._images.download(None, image_id))
            lost = None
        except exception.ComputeError as error:
            lost = error
        offer = _plan(job).offer
        if lost is not None and (offer is None or not is_lost(lost)):
            raise lost
        if self._is_source(job):
            return self._driver.moves.set_aside(job.instance)
        if offer is None:
            return {}
        files = self._files.fetch(job, instance, offer, images=lost is not None)
        if lost is not None:
            LOG.warning('the images of server %s are those of the host that it leaves: %s', instance.uuid, lost.message)
            self._prepare(job, instance, self._files.images(instance, offer))
        job.sure()
        return files

    def _prepare(self, job: Job, instance: Instance, stream: ImageStream) -> None:
        if instance.image is not None:
            self._driver.prepare(instance, stream, job.cancelled)

    def _is_source(self, job: Job) -> bool:
        plan = _plan(job)
        return plan.source == plan.destination

    def _forget_new_size(self, job: Job) -> None:
        """Remove the guest of the new size on the host where the old one is set aside."""
        if self._is_here(job) and self._driver.moves.is_aside(job.instance):
            self._driver.destroy(job.instance)

    def _is_here(self, job: Job) -> bool:
        try:
            self._driver.guest_info(job.ref.instance_uuid)
        except exception.NotFound:
            return False
        return True

    def _guest(self, job: Job, instance: Instance, nics: tuple[Nic, ...]) -> Guest:
        return guest_of(self._options, instance, nics, self._group_names, files=job.work.files)


def _args(job: Job) -> MoveArgs:
    args: MoveArgs = kind_of(job.ref.kind).args_of(job.work.operation.args)
    return args


def _plan(job: Job) -> MovePlan:
    plan: MovePlan = kind_of(job.ref.kind).plan_of(job.work.operation.plan)
    return plan
