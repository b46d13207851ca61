"""libvirt's event loop, in a native thread, and the way of an event from there to our side.

libvirt allows one event implementation for a process and it has to be registered before the first connection is
opened, so both are kept at module level. The loop never ends: it costs nothing while nothing happens, and keepalive
needs it for as long as any connection lives. The callbacks run in that thread, where no lock, log or queue of the
patched world may be touched: they do nothing but put a tuple into a mailbox.
"""

from __future__ import annotations

from typing import Any

import libvirt

from compute import concurrency, states
from compute.virt.driver import GuestEvent

CLOSED = 'closed'
_loop: Any = None

_KINDS = {
    libvirt.VIR_DOMAIN_EVENT_STARTED: ('started', states.RUNNING),
    libvirt.VIR_DOMAIN_EVENT_SUSPENDED: ('paused', states.PAUSED),
    libvirt.VIR_DOMAIN_EVENT_RESUMED: ('resumed', states.RUNNING),
    libvirt.VIR_DOMAIN_EVENT_STOPPED: ('stopped', states.SHUTDOWN),
    libvirt.VIR_DOMAIN_EVENT_CRASHED: ('crashed', states.CRASHED),
}
_CRASHES = (libvirt.VIR_DOMAIN_EVENT_STOPPED_CRASHED, libvirt.VIR_DOMAIN_EVENT_STOPPED_FAILED)


def start_loop() -> None:
    """Register the event implementation and run it. Later calls change nothing."""
    global _loop
    if _loop is None:
        libvirt.registerErrorHandler(_ignore, None)
        libvirt.virEventRegisterDefaultImpl()
        _loop = concurrency.native_thread(_run, name='libvirt-events')


def subscribe(connection: libvirt.virConnect, mailbox: concurrency.Mailbox, serial: int) -> None:
    """Let ``connection`` put lifecycle events and its own end into ``mailbox``, marked with ``serial``."""
    connection.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, _lifecycle, mailbox)
    connection.registerCloseCallback(_closed, (mailbox, serial))


def guest_event(uuid: str, event: int, detail: int) -> GuestEvent | None:
    """Return a lifecycle event in our words; None for those that do not change whether a guest runs."""
    if event == libvirt.VIR_DOMAIN_EVENT_STOPPED and detail in _CRASHES:
        event = libvirt.VIR_DOMAIN_EVENT_CRASHED
    if event not in _KINDS:
        return None
    kind, power_state = _KINDS[event]
    return GuestEvent(uuid=uuid, kind=kind, power_state=power_state)


def _run() -> None:
    while True:
        libvirt.virEventRunDefaultImpl()


def _lifecycle(_connection: Any, domain: Any, event: int, detail: int, mailbox: concurrency.Mailbox) -> None:
    mailbox.put((domain.UUIDString(), event, detail))


def _closed(_connection: Any, reason: int, opaque: tuple[concurrency.Mailbox, int]) -> None:
    mailbox, serial = opaque
    mailbox.put((CLOSED, serial, reason))


def _ignore(_context: Any, _error: Any) -> None:
    """Keep libvirt from printing to stderr what it also raises."""
