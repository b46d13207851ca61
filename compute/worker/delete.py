"""Remove a server from this host: its guest, then its ports. Each may be done again."""

from __future__ import annotations

from compute.clients import ports
from compute.clients.network import Networks
from compute.objects.operation import InstanceUpdate
from compute.virt.driver import Driver
from compute.worker.job import Job


class Delete:
    """The ``delete`` of one host."""

    def __init__(self, driver: Driver, networks: Networks) -> None:
        self._driver, self._networks = driver, networks

    def first(self, job: Job) -> str:
        """Return the stage it begins with."""
        return 'deleting'

    def run(self, job: Job) -> InstanceUpdate:
        """Destroy the guest with its disks, and give back its ports."""
        job.stage('deleting')
        job.sure()
        self._driver.destroy(job.instance)
        job.stage('releasing')
        ports.release(self._networks, job.instance, keep=ports.brought(job.instance, job.args), sure=job.sure)
        return InstanceUpdate()

    def undo(self, job: Job) -> None:
        """A delete is not undone: it is tried again."""

    def after_failure(self, job: Job) -> InstanceUpdate | None:
        """Nothing new is known of the server."""
        return None
