"""Pause guests, and save their memory with libvirt's managed save."""

from __future__ import annotations

from compute import exception, states
from compute.objects.instance import Instance
from compute.virt.driver import Guest
from compute.virt.libvirt.guest import OFF, Domain
from compute.virt.libvirt.host import Host
from compute.virt.libvirt.lifecycle import Lifecycle


class LibvirtPower:
    """``driver.Power`` on libvirt."""

    def __init__(self, host: Host, lifecycle: Lifecycle) -> None:
        self._host, self._lifecycle = host, lifecycle

    def pause(self, instance: Instance) -> None:
        """See the contract."""
        self._running(instance.uuid).pause()

    def unpause(self, instance: Instance) -> None:
        """See the contract."""
        self._running(instance.uuid).unpause()

    def suspend(self, instance: Instance) -> None:
        """See the contract."""
        domain = self._ours(instance.uuid)
        if domain.power_state() in OFF and domain.has_saved_memory():
            return
        self._running(instance.uuid).save_memory()

    def resume(self, guest: Guest) -> None:
        """See the contract."""
        domain = self._ours(guest.instance.uuid)
        state = domain.power_state()
        if state == states.PAUSED:  # a restore that was cut off
            domain.unpause()
        elif state in OFF and domain.has_saved_memory():
            self._lifecycle.check_startable(guest)
            self._restore(domain)
        elif state in OFF:
            self._lifecycle.power_on(guest)

    @staticmethod
    def _restore(domain: Domain) -> None:
        try:
            domain.start_from_memory()
        except exception.Failed as error:
            if error.code != 'libvirt':
                raise
            raise exception.Failed(f'guest {domain.uuid} cannot go on from its saved memory: {error.message}',
                                   code='guest_resume',
                                   hint='a hard reboot drops the saved memory and starts the server anew') from error

    def _ours(self, uuid: str) -> Domain:
        domain = Domain(self._host, uuid)
        domain.check_ours()
        return domain

    def _running(self, uuid: str) -> Domain:
        domain = self._ours(uuid)
        if domain.power_state() in OFF:
            raise exception.Failed(f'guest {uuid} is off', code='guest_not_running')
        return domain
