"""Remove a server from this host: its guest, then its ports. Each may be done again."""

from __future__ import annotations

from compute.clients import ports
from compute.clients.network import Networks
from compute.objects.kinds.delete import DELETE
from compute.objects.operation import InstanceUpdate
from compute.virt.driver import Driver
from compute.worker.job import Job
from compute.worker.moved_files import MovedFiles


class Delete:
    """The ``delete`` of one host."""

    def __init__(self, driver: Driver, networks: Networks, files: MovedFiles) -> None:
        self._driver, self._networks, self._files = driver, networks, files

    def run(self, job: Job) -> InstanceUpdate:
        """Destroy the guest with its disks, and give back its ports."""
        job.stage('deleting')
        job.sure()
        self._files.withdraw(job.ref.instance_uuid)
        self._driver.destroy(job.instance)
        self._driver.moves.drop_aside(job.instance)
        job.stage('releasing')
        asked = DELETE.args_of(job.work.operation.args).nics
        ports.release(self._networks, job.instance, keep=ports.brought(job.instance, asked), sure=job.sure)
        return InstanceUpdate()

    def undo(self, job: Job) -> None:
        """A delete is not undone: it is tried again."""

    def after_failure(self, job: Job) -> InstanceUpdate | None:
        """Nothing new is known of the server."""
        return None
