"""Confirm a move on the host that the server left: what was set aside there is removed."""

from __future__ import annotations

from compute.objects.operation import InstanceUpdate
from compute.virt.driver import Driver
from compute.worker.job import Job
from compute.worker.moved_files import MovedFiles


class ConfirmResize:
    """The ``confirm_resize`` of one host."""

    def __init__(self, driver: Driver, files: MovedFiles) -> None:
        self._driver, self._files = driver, files

    def run(self, job: Job) -> InstanceUpdate:
        """Remove what was set aside; there may be nothing any more."""
        job.stage('resize_confirming')
        job.sure()
        self._files.withdraw(job.ref.instance_uuid)
        self._driver.moves.drop_aside(job.instance)
        return InstanceUpdate()

    def undo(self, job: Job) -> None:
        """A confirmation is not undone: it is tried again."""

    def after_failure(self, job: Job) -> InstanceUpdate | None:
        """Nothing new is known of the server: it is on another host."""
        return None
