"""What operations on the power of a guest share: its state after a failure, and how long it has to shut down."""

from __future__ import annotations

import re
from typing import Any

from compute import exception, states
from compute.objects.instance import Instance
from compute.objects.nic import Nic
from compute.objects.operation import InstanceUpdate
from compute.virt.driver import Driver
from compute.worker.guest import GroupNames, unnamed
from compute.worker.job import Job

LONGEST_SHUTDOWN = 480.0
"""Seconds that an image may ask for, less than the deadline: who waits keeps one of the host's threads from others."""


def changed(instance: Instance, nics: tuple[Nic, ...]) -> tuple[Nic, ...] | None:
    """Return the NICs of a server if they are others than the ledger knows, else None."""
    return nics if nics != instance.nics else None


class PowerHandler:
    """Base of these handlers. None of them leaves anything to undo: a guest runs, is paused, or is off."""

    off_means = states.STOPPED
    """The vm_state of a server whose guest is off after a failure."""

    def __init__(self, conf: Any, driver: Driver, group_names: GroupNames = unnamed) -> None:
        self._options, self._driver, self._group_names = conf.worker, driver, group_names

    def undo(self, job: Job) -> None:
        """Nothing was made."""

    def after_failure(self, job: Job) -> InstanceUpdate | None:
        """Say how the guest really is."""
        return self.observe(job.instance)

    def observe(self, instance: Instance) -> InstanceUpdate | None:
        """Return the guest's power state, and the vm_state that follows from it; None if there is no guest."""
        try:
            power = self._driver.guest_info(instance.uuid).power_state
        except exception.NotFound:
            return None
        seen = {states.RUNNING: states.ACTIVE, states.PAUSED: states.PAUSED_VM, states.SHUTDOWN: self.off_means,
                states.CRASHED: states.STOPPED}
        return InstanceUpdate(power_state=power, vm_state=seen.get(power))

    def shutdown_timeout(self, instance: Instance) -> float:
        """Return how long the guest has to obey: its image's word, within bounds, else the host's option."""
        text = instance.image.properties.get('os_shutdown_timeout', '') if instance.image else ''
        default = float(self._options.shutdown_timeout)
        if not re.fullmatch('[0-9]{1,9}', text):
            return default
        return min(float(text), max(default, LONGEST_SHUTDOWN))
