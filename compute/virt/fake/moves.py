"""Set guests of the fake hypervisor aside, adopt and restore them, with their disks where they have any."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from contextlib import AbstractContextManager

from compute import exception, states
from compute.objects.instance import Instance
from compute.virt import hardware
from compute.virt.driver import Guest
from compute.virt.fake.disks import FakeDisks
from compute.virt.fake.faults import Faults
from compute.virt.fake.store import FakeGuest, Store

_OFF = (states.SHUTDOWN, states.CRASHED, states.NOSTATE)


class FakeMoves:
    """``driver.Moves`` of the fake, on the store of its driver."""

    def __init__(self, store: Store, disks: FakeDisks, faults: Faults, make: Callable[[Guest], FakeGuest],
                 own: Callable[[str], None], lock: AbstractContextManager[object]) -> None:
        self._store, self._disks, self._faults = store, disks, faults
        self._make, self._own, self._lock = make, own, lock

    def set_aside(self, instance: Instance) -> dict[str, pathlib.Path]:
        """See the contract."""
        self._faults.check('set_aside')
        with self._lock:
            if instance.uuid not in self._store.aside:
                fake = self._store.guests.get(instance.uuid)
                if fake is None:
                    raise exception.NotFound(f'no guest {instance.uuid} on this host', code='guest_not_found')
                self._own(instance.uuid)
                if fake.power_state not in _OFF:
                    raise exception.Failed(f'guest {instance.uuid} runs', code='guest_running')
                self._store.set_aside(fake)
            return self._disks.set_aside(instance.uuid)

    def adopt(self, guest: Guest, files: dict[str, pathlib.Path]) -> None:
        """See the contract."""
        self._faults.check('adopt')
        for nic in guest.nics:
            hardware.check_bound(nic)
        hardware.plan(guest.instance)
        with self._lock:
            self._own(guest.instance.uuid)
            self._disks.adopt(guest.instance.uuid, files)
            self._put(guest)

    def incoming(self, instance: Instance) -> pathlib.Path | None:
        """See the contract."""
        return self._disks.incoming(instance.uuid)

    def drop_incoming(self, instance: Instance) -> None:
        """See the contract."""
        self._disks.drop_incoming(instance.uuid)

    def restore(self, guest: Guest) -> None:
        """See the contract."""
        self._faults.check('restore')
        with self._lock:
            if guest.instance.uuid in self._store.aside:
                self._own(guest.instance.uuid)
                self._disks.restore(guest.instance.uuid)
                self._put(guest)
                self._store.drop_aside(guest.instance.uuid)

    def drop_aside(self, instance: Instance) -> None:
        """See the contract."""
        self._faults.check('drop_aside')
        with self._lock:
            self._store.drop_aside(instance.uuid)
            self._disks.drop_aside(instance.uuid)

    def is_aside(self, instance: Instance) -> bool:
        """See the contract."""
        return instance.uuid in self._store.aside

    def all_incoming(self) -> list[str]:
        """See the contract."""
        return self._disks.all_incoming()

    def all_aside(self) -> list[str]:
        """See the contract."""
        self._faults.check('all_aside')
        with self._lock:
            return sorted(self._store.aside)

    def _put(self, guest: Guest) -> None:
        fake = self._make(guest)
        fake.power_state = states.SHUTDOWN
        self._store.put(fake)
