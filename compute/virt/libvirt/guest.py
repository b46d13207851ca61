"""One domain: the calls that the rest of the driver makes on it, by uuid.

A domain is looked up anew for each call, because an object of libvirt's dies with the connection that it came from.
That costs a fraction of a millisecond.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar
from xml.etree import ElementTree

import libvirt

from compute import exception, states
from compute.virt.driver import GuestInfo
from compute.virt.libvirt.host import Host
from compute.virt.libvirt.xml import metadata

T = TypeVar('T')
LOG = logging.getLogger(__name__)

POWER_STATES = {
    libvirt.VIR_DOMAIN_NOSTATE: states.NOSTATE,
    libvirt.VIR_DOMAIN_RUNNING: states.RUNNING,
    libvirt.VIR_DOMAIN_BLOCKED: states.RUNNING,
    libvirt.VIR_DOMAIN_PAUSED: states.PAUSED,
    # On its way down it still runs: only SHUTOFF is off.
    libvirt.VIR_DOMAIN_SHUTDOWN: states.RUNNING,
    libvirt.VIR_DOMAIN_SHUTOFF: states.SHUTDOWN,
    libvirt.VIR_DOMAIN_CRASHED: states.CRASHED,
    libvirt.VIR_DOMAIN_PMSUSPENDED: states.SUSPENDED,
}
OFF = (states.SHUTDOWN, states.CRASHED, states.NOSTATE)
_UNDEFINE = (libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
             | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)


class Domain:
    """The domain of one guest, which need not exist. Every method raises NotFound when it does not."""

    def __init__(self, host: Host, uuid: str) -> None:
        self._host, self.uuid = host, uuid

    def run(self, function: Callable[[Any], T]) -> T:
        """Call ``function`` with libvirt's domain object; see ``Host.run``."""
        try:
            return self._host.run(lambda connection: function(connection.lookupByUUIDString(self.uuid)))
        except exception.NotFound as error:
            raise exception.NotFound(f'no guest {self.uuid} on this host', code='guest_not_found') from error

    def info(self) -> GuestInfo:
        """Return what libvirt says of it."""
        return self.run(_info)

    def power_state(self) -> int:
        """Return its power state."""
        return self.run(_power_state)

    def document(self) -> ElementTree.Element:
        """Return its XML as libvirt has it now."""
        return ElementTree.fromstring(self.run(lambda domain: domain.XMLDesc(0)))

    def check_ours(self) -> None:
        """:raises Failed: ``foreign_guest``: somebody else made it; it must not be touched."""
        if not self.info().ours:
            raise exception.Failed(f'guest {self.uuid} on this host was not made by this controller',
                                   code='foreign_guest')

    def start(self) -> None:
        """Start it, without any memory image that a managed save left."""
        self.run(lambda domain: None if domain.isActive() else domain.createWithFlags(
            libvirt.VIR_DOMAIN_START_FORCE_BOOT))

    def pause(self) -> None:
        """Stop its processors; paused already is fine."""
        self.run(lambda domain: None if _power_state(domain) == states.PAUSED else domain.suspend())

    def unpause(self) -> None:
        """Let its processors run; running already is fine."""
        self.run(lambda domain: domain.resume() if _power_state(domain) == states.PAUSED else None)

    def has_saved_memory(self) -> bool:
        """Return whether a managed save left its memory."""
        return self.run(lambda domain: bool(domain.hasManagedSaveImage(0)))

    def save_memory(self) -> None:
        """Save its memory and stop it; saved already is fine."""
        self.run(lambda domain: domain.managedSave(0) if domain.isActive() else None)

    def start_from_memory(self) -> None:
        """Start it from its saved memory."""
        self.run(lambda domain: None if domain.isActive() else domain.createWithFlags(0))

    def ask_to_shut_down(self) -> None:
        """Press the power button.

        That it could not be pressed, as when the guest died of itself just then, is no error: whoever presses it looks
        at the guest's state, and does not rely on its obedience.
        """
        try:
            self.run(lambda domain: domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN))
        except exception.Failed as error:
            LOG.info('guest %s could not be asked to shut down: %s', self.uuid, error.message)

    def cut_power(self) -> None:
        """Stop it at once; stopped already is fine."""
        try:
            self.run(lambda domain: domain.destroy() if domain.isActive() else None)
        except exception.Failed as error:
            if error.details.get('libvirt_code') != libvirt.VIR_ERR_OPERATION_INVALID:
                raise

    def undefine(self) -> None:
        """Let libvirt forget it with all that it keeps of its own accord."""
        self.run(lambda domain: domain.undefineFlags(_UNDEFINE))


def define(host: Host, document: str) -> None:
    """Define a domain, or change the definition of the one that has the same uuid."""
    host.run(lambda connection: connection.defineXML(document))


def all_guests(host: Host) -> list[GuestInfo]:
    """Return every domain of the host."""
    return host.run(lambda connection: [info for domain in connection.listAllDomains(0)
                                        if (info := _info_if_there(domain)) is not None])


def _info_if_there(domain: Any) -> GuestInfo | None:
    """Return None for a domain that vanished since it was listed."""
    try:
        return _info(domain)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return None
        raise


def _info(domain: Any) -> GuestInfo:
    _state, maximum, _memory, vcpus, _time = domain.info()
    return GuestInfo(uuid=domain.UUIDString(), name=domain.name(), power_state=_power_state(domain),
                     ours=_ours(domain), memory_mb=maximum // 1024, vcpus=vcpus)


def _ours(domain: Any) -> bool:
    try:
        return bool(domain.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, metadata.NAMESPACE, 0))
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN_METADATA:
            return False
        raise


def _power_state(domain: Any) -> int:
    state, reason = domain.state(0)
    if state == libvirt.VIR_DOMAIN_SHUTOFF and reason == libvirt.VIR_DOMAIN_SHUTOFF_CRASHED:
        return states.CRASHED
    return POWER_STATES.get(state, states.NOSTATE)
