"""Make, run, stop and remove guests.

A guest is three things: a folder with its disks, a definition in libvirt, and a process. They are made in this order
and removed in the reverse one; a definition is written anew at each start, so that what changed meanwhile takes effect.
"""

from __future__ import annotations

import logging
import threading
import time

import libvirt
from oslo_config import cfg

from compute import exception, states
from compute.objects.instance import Instance
from compute.virt import hardware
from compute.virt.driver import Guest, GuestInfo
from compute.virt.laps import Laps
from compute.virt.libvirt import guest as guests
from compute.virt.libvirt import vif
from compute.virt.libvirt.capabilities import Capabilities
from compute.virt.libvirt.disks import Disks
from compute.virt.libvirt.guest import OFF, Domain
from compute.virt.libvirt.host import Host
from compute.virt.libvirt.paths import Paths
from compute.virt.libvirt.xml.domain import domain_xml
from compute.virt.libvirt.xml.spec import DomainSpec

LOG = logging.getLogger(__name__)
_POLL, _KILL_ATTEMPTS = 0.2, 3
# Seconds between presses of the power button: each time twice as long, between these limits.
_PRESS_AGAIN, _PRESS_AGAIN_MOST = 2.0, 10.0
# With these the definition itself is at fault: no other host would take it.
_OUR_FAULT = (libvirt.VIR_ERR_CONFIG_UNSUPPORTED, libvirt.VIR_ERR_XML_ERROR, libvirt.VIR_ERR_XML_DETAIL,
              libvirt.VIR_ERR_INVALID_ARG, libvirt.VIR_ERR_NO_SUPPORT)


class Lifecycle:
    """``driver.Lifecycle`` on libvirt."""

    def __init__(self, conf: cfg.ConfigOpts, host: Host, capabilities: Capabilities, paths: Paths,
                 disks: Disks) -> None:
        self._conf, self._host, self._capabilities = conf.libvirt, host, capabilities
        self._paths, self._disks = paths, disks

    # -- make and remove --

    def spawn(self, guest: Guest) -> None:
        """See the contract."""
        instance = guest.instance
        plan = hardware.plan(instance)
        vif.check_plugged(guest.nics)
        self.destroy(instance)
        laps = Laps()
        try:
            with laps.lap('convert'):
                self._disks.create(guest)
            with laps.lap('define'):
                self.define(guest, plan)
            with laps.lap('start'):
                self._domain(instance).start()
        except Exception as error:
            self.undo(instance, error)
            raise not_made(error, 'the guest did not start') from error
        finally:
            LOG.info('guest %s took %s', instance.uuid, laps)

    def undo(self, instance: Instance, error: Exception) -> None:
        """Remove what was made of a guest until an error occurred.

        :raises Unavailable: libvirtd does not answer. :raises Failed: ``guest_left_behind``.
        """
        try:
            self.remove(instance)
        except exception.Unavailable:
            raise  # nothing is decided yet: whoever tries again, or gives up, removes it first
        except exception.ComputeError as second:
            raise exception.Failed(
                f'guest {instance.uuid} failed to start ({_message(error)}) and could not be removed again '
                f'({second.message})', code='guest_left_behind') from error

    def destroy(self, instance: Instance) -> None:
        """See the contract. :raises Failed: ``foreign_guest``: another's domain has this uuid."""
        self.remove(instance)
        self._paths.incoming(instance).remove()

    def remove(self, instance: Instance) -> None:
        """Remove a guest with its folder, and nothing beside it; what is gone already is no error."""
        domain = self._domain(instance)
        try:
            domain.check_ours()
            self._kill(domain)
            domain.undefine()
        except exception.NotFound:
            pass
        self._paths.of(instance).remove()

    def _kill(self, domain: Domain) -> None:
        """Cut power; a QEMU that hangs in the kernel may need more than one try."""
        for attempt in range(_KILL_ATTEMPTS):
            try:
                domain.cut_power()
                return
            except exception.Failed:
                if attempt == _KILL_ATTEMPTS - 1:
                    raise

    # -- power --

    def power_on(self, guest: Guest) -> None:
        """See the contract."""
        domain = self._ours(guest.instance)
        if domain.power_state() in OFF:
            self._start_again(guest, domain, self._plan_start(guest))

    def power_off(self, instance: Instance, timeout: float, cancelled: threading.Event | None = None) -> None:
        """See the contract."""
        domain = self._ours(instance)
        if not (timeout > 0 and domain.power_state() == states.RUNNING and self._shut_down(domain, timeout, cancelled)):
            self._kill(domain)

    def reboot_soft(self, guest: Guest, timeout: float, cancelled: threading.Event | None = None) -> bool:
        """See the contract."""
        domain = self._ours(guest.instance)
        if domain.power_state() != states.RUNNING:
            return False
        plan = self._plan_start(guest)
        if not self._shut_down(domain, timeout, cancelled):
            return False
        self._start_again(guest, domain, plan)
        return True

    def reboot_hard(self, guest: Guest) -> None:
        """See the contract."""
        domain = self._ours(guest.instance)
        plan = self._plan_start(guest)
        self._kill(domain)
        self._start_again(guest, domain, plan)

    def check_startable(self, guest: Guest) -> None:
        """Return if nothing is known that keeps a guest from starting. :raises ComputeError: it would fail."""
        self._plan_start(guest)

    def _plan_start(self, guest: Guest) -> hardware.Plan:
        """Look at all that a start needs, and change nothing. :raises ComputeError: it would fail."""
        plan = hardware.plan(guest.instance)
        vif.check_plugged(guest.nics)
        self._disks.check(guest.instance)
        return plan

    def _start_again(self, guest: Guest, domain: Domain, plan: hardware.Plan) -> None:
        try:
            self._disks.complete(guest)
            self.define(guest, plan)
            domain.start()
        except OSError as error:
            raise exception.Failed(f'guest {domain.uuid} cannot be started: {error}', code='guest_start') from error
        except exception.Failed as error:
            if error.code != 'libvirt':
                raise
            raise exception.Failed(f'guest {domain.uuid} cannot be started: {error.message}',
                                   code='guest_start') from error

    def _shut_down(self, domain: Domain, timeout: float, cancelled: threading.Event | None) -> bool:
        """Press the power button, and again from time to time: a guest that is still booting misses the first."""
        cancelled = cancelled or threading.Event()
        now = time.monotonic()
        deadline, press_at, pause = now + timeout, now, _PRESS_AGAIN
        while now < deadline:
            if now >= press_at:
                domain.ask_to_shut_down()
                press_at, pause = now + pause, min(2 * pause, _PRESS_AGAIN_MOST)
            if domain.power_state() in OFF:
                return True
            if cancelled.wait(min(_POLL, max(0.0, deadline - now))):
                raise exception.Stale(f'the wait for guest {domain.uuid} to shut down was cancelled')
            now = time.monotonic()
        return domain.power_state() in OFF

    # -- what there is --

    def info(self, uuid: str) -> GuestInfo:
        """See the contract."""
        return Domain(self._host, uuid).info()

    def guests(self) -> list[GuestInfo]:
        """See the contract."""
        return guests.all_guests(self._host)

    # -- inside --

    def define(self, guest: Guest, plan: hardware.Plan) -> None:
        """Let libvirt know the guest as it is now. It is not started."""
        guests.define(self._host, domain_xml(self.spec(guest, plan)))

    def _domain(self, instance: Instance) -> Domain:
        return Domain(self._host, instance.uuid)

    def _ours(self, instance: Instance) -> Domain:
        domain = self._domain(instance)
        domain.check_ours()
        return domain

    def spec(self, guest: Guest, plan: hardware.Plan) -> DomainSpec:
        """Return all that the domain's XML says, from the guest, the host and the configuration."""
        conf, instance = self._conf, guest.instance
        how = self._capabilities.platform(plan.architecture, plan.machine)
        disks = self._disks.specs(instance, plan, how.machine)
        return DomainSpec(
            instance=instance, plan=plan, virt_type=how.virt_type, architecture=how.architecture, machine=how.machine,
            cpu=how.cpu, disks=disks, nics=guest.nics, kernel_boot=self._disks.kernel_boot(instance, disks),
            console_log=str(self._paths.of(instance).console), vnc_listen=conf.vnc_listen,
            manufacturer=conf.smbios_manufacturer, product=conf.smbios_product,
            stats_period=conf.memory_stats_period)


def not_made(error: Exception, what: str) -> Exception:
    """Return what to raise for a guest that was undone: another host may do, unless the guest itself is at fault.

    :param what: begins the message for what another host may do.
    """
    if isinstance(error, exception.Failed):
        if error.code != 'libvirt':
            return error
        if error.details.get('libvirt_code') in _OUR_FAULT:
            return exception.Failed(f'the guest cannot be made: {error.message}', code='guest_config',
                                    hint='see the hardware properties of image and flavor')
        return exception.Retry(f'{what}: {error.message}', code='guest_start')
    if isinstance(error, exception.NotFound):
        return exception.Retry(f'{what}: {error.message}', code=error.code)
    if isinstance(error, OSError):
        return exception.Failed(f'the guest cannot be made: {error}', code='disk_create')
    return error


def _message(error: Exception) -> str:
    return error.message if isinstance(error, exception.ComputeError) else str(error)
