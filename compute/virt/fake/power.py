"""Pause and suspend guests of the fake hypervisor."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from compute import exception, states
from compute.objects.instance import Instance
from compute.virt import hardware
from compute.virt.driver import Guest
from compute.virt.fake.store import FakeGuest

_OFF = (states.SHUTDOWN, states.CRASHED, states.NOSTATE)


class FakePower:
    """``driver.Power`` of the fake, on the guests of its driver."""

    def __init__(self, get: Callable[[str, str], FakeGuest], boot: Callable[[FakeGuest], None],
                 set_state: Callable[[FakeGuest, int], None], lock: AbstractContextManager[object]) -> None:
        self._get, self._boot, self._set_state, self._lock = get, boot, set_state, lock

    def pause(self, instance: Instance) -> None:
        """See the contract."""
        with self._lock:
            self._set_state(self._running('pause', instance.uuid), states.PAUSED)

    def unpause(self, instance: Instance) -> None:
        """See the contract."""
        with self._lock:
            self._set_state(self._running('unpause', instance.uuid), states.RUNNING)

    def suspend(self, instance: Instance) -> None:
        """See the contract."""
        with self._lock:
            fake = self._get('suspend', instance.uuid)
            if not (fake.power_state in _OFF and fake.saved):
                fake = self._running('suspend', instance.uuid)
                fake.saved = True
                self._set_state(fake, states.SHUTDOWN)

    def resume(self, guest: Guest) -> None:
        """See the contract."""
        with self._lock:
            fake = self._get('resume', guest.instance.uuid)
            if fake.power_state == states.RUNNING:
                return
            for nic in guest.nics:
                hardware.check_bound(nic)
            if fake.saved:
                fake.saved = False
                self._set_state(fake, states.RUNNING)
            else:
                self._boot(fake)

    def _running(self, method: str, uuid: str) -> FakeGuest:
        fake = self._get(method, uuid)
        if fake.power_state in _OFF:
            raise exception.Failed(f'guest {uuid} is off', code='guest_not_running')
        return fake
