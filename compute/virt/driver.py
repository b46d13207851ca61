"""The contract between a worker and a hypervisor: small Protocols, one for each thing a host can be asked to do.

What holds for all of them: methods may block (a driver offloads its own C calls through ``concurrency.offload``);
they may be called from several threads at once, but never twice at once for the same guest (the worker locks by
uuid); every method is idempotent unless it says otherwise, because an operation may be sent again after a crash.
They raise ``exception.Retry`` when nothing is left behind and another host may do, ``exception.Failed`` when not,
``exception.NotFound`` for a guest that is not there, ``exception.Unavailable`` while the hypervisor does not answer.
A driver knows nothing of SQL, of RPC or of the neighbours.
"""

from __future__ import annotations

import pathlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from compute.objects.host import Inventory
from compute.objects.instance import Instance
from compute.objects.nic import Nic

ImageStream = Callable[[str], Iterator[bytes]]
"""Opens the data of the image with that id from the start; each chunk at most a few MiB. Raises what clients.image
raises."""


@dataclass(frozen=True, kw_only=True)
class Guest:
    """All a driver needs to make a guest. ``config_drive`` maps paths to contents; None means no config drive."""

    instance: Instance
    nics: tuple[Nic, ...] = ()
    config_drive: dict[str, bytes] | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class GuestInfo:
    """What the hypervisor says of a guest. ``power_state`` is an integer of ``compute.states``.

    ``ours`` is False for a guest that carries no metadata of this controller: it is reported, never touched.
    """

    uuid: str
    name: str
    power_state: int
    ours: bool = True
    memory_mb: int = 0
    vcpus: int = 0


@dataclass(frozen=True, kw_only=True)
class GuestEvent:
    """A change that the hypervisor noticed by itself: ``started stopped paused resumed crashed``."""

    uuid: str
    kind: str
    power_state: int


@dataclass(frozen=True, kw_only=True)
class ConsoleAddress:
    """Where a graphical or serial console listens on the host."""

    kind: str
    host: str
    port: int


class Lifecycle(Protocol):
    """Make, run, stop and remove guests."""

    def spawn(self, guest: Guest) -> None:
        """Create disks and the guest and start it. The image was made ready by ``Images.prepare`` before.

        A guest of that uuid left by an attempt that was cut off is replaced. On any error all that this call made is
        removed again before ``Retry`` or ``Failed`` is raised; after ``Unavailable`` it may be there, for ``destroy``.
        """

    def destroy(self, instance: Instance) -> None:
        """Stop the guest at once and remove it with its disks and console log. A missing guest is no error."""

    def power_on(self, guest: Guest) -> None:
        """Start a stopped guest, defining it anew from ``guest`` (disks are kept). Running already: no change."""

    def power_off(self, instance: Instance, timeout: float, cancelled: threading.Event | None = None) -> None:
        """Ask the guest to shut down and cut power after ``timeout`` seconds (0: at once). Off already: no change.

        :raises Stale: ``cancelled`` was set while the guest had not obeyed; it is left as it is. Its ``wait`` raises
            the same where the caller must no longer act.
        """

    def reboot_soft(self, guest: Guest, timeout: float, cancelled: threading.Event | None = None) -> bool:
        """Shut the guest down, redefine and start it. Return False if it does not shut down within ``timeout``.

        Known obstacles to a start are raised before the shutdown. :raises Stale: as for ``power_off``.
        """

    def reboot_hard(self, guest: Guest) -> None:
        """Cut power, define the guest anew from ``guest`` and start it. Works from any state, with disks kept.

        What is known to keep it from starting is raised before: the guest goes on as it is.
        """

    def guest_info(self, uuid: str) -> GuestInfo:
        """Return what the hypervisor says now. :raises NotFound: no such guest."""

    def guests(self) -> list[GuestInfo]:
        """Return every guest of this host, those of others included (``ours`` tells)."""

    def stored(self) -> list[str]:
        """Return the uuids of all guests of ours that have disks or other files here, defined or not.

        What is set aside does not count: see ``Moves.all_aside``.
        """


class Power(Protocol):
    """Stop the processors of a guest, or save its memory, and let it go on."""

    def pause(self, instance: Instance) -> None:
        """Stop the guest's processors; its memory stays. Paused already: no change.

        :raises Failed: ``guest_not_running``: it is off.
        """

    def unpause(self, instance: Instance) -> None:
        """Let a paused guest run. Running already: no change. :raises Failed: ``guest_not_running``: it is off."""

    def suspend(self, instance: Instance) -> None:
        """Save the guest's memory on this host and stop the guest. Saved already: no change.

        The saved memory survives restarts of the hypervisor's daemon and of the host. It is dropped by ``destroy``,
        ``power_on`` and ``reboot_hard``.
        :raises Failed: ``guest_not_running``: it is off, and nothing is saved.
        """

    def resume(self, guest: Guest) -> None:
        """Let a suspended guest go on from its saved memory; start it anew where that is lost. Running: no change.

        What is known to keep it from starting is raised before.
        :raises Failed: ``guest_resume``: the saved memory cannot be used; it is kept.
        """


class Moves(Protocol):
    """Take a guest that is off from one host to another, or give it another size, and back.

    The old host sets the guest aside: it has no definition any more and cannot start, its files stay. The new host
    adopts the files. What was set aside is dropped once the move is confirmed, or restored.
    """

    def set_aside(self, instance: Instance) -> dict[str, pathlib.Path]:
        """Set a stopped guest aside and return its files by name; an empty dict where a guest has none.

        Set aside already: no change; what was adopted since stays. :raises Failed: ``guest_running``: it is not off.
        """

    def adopt(self, guest: Guest, files: dict[str, pathlib.Path]) -> None:
        """Make a guest, stopped, from files that were set aside here or fetched from another host.

        Files are copied or moved; those that were set aside here stay as they are. Disks grow to the sizes of the
        guest's flavor. The image was made ready by ``Images.prepare``. A guest of that uuid left by an attempt that was
        cut off is replaced. On an error all that this call made is removed again.
        """

    def incoming(self, instance: Instance) -> pathlib.Path | None:
        """Return the folder into which files of a guest from another host are fetched; None where there are none.

        It exists afterwards. ``adopt``, ``drop_incoming`` and ``destroy`` remove it.
        """

    def drop_incoming(self, instance: Instance) -> None:
        """Remove what was fetched of a guest. Nothing fetched: no change."""

    def restore(self, guest: Guest) -> None:
        """Make a guest that was set aside what it was before, stopped. Not set aside: no change."""

    def drop_aside(self, instance: Instance) -> None:
        """Remove what was set aside of a guest. Nothing set aside: no change."""

    def is_aside(self, instance: Instance) -> bool:
        """Return whether a guest is set aside here."""

    def all_incoming(self) -> list[str]:
        """Return the uuids of all guests for whose files ``incoming`` made a folder that is still there."""

    def all_aside(self) -> list[str]:
        """Return the uuids of all guests that are set aside here."""


class Consoles(Protocol):
    """What a guest shows."""

    def console_output(self, instance: Instance, max_bytes: int) -> bytes:
        """Return the last ``max_bytes`` of the serial console's log, raw; empty when it has printed nothing yet."""

    def vnc_address(self, instance: Instance) -> ConsoleAddress:
        """Return where the guest's VNC server listens. :raises NotFound: guest not running."""


class Images(Protocol):
    """The host's cache of base images."""

    def prepare(self, instance: Instance, open_stream: ImageStream, cancelled: threading.Event | None = None) -> None:
        """Have ``instance.image``, its kernel and its RAM disk in the cache: fetched once however many ask, checked
        against their hashes, inspected.

        ``open_stream`` is not called for an undamaged cached image; a damaged one is fetched again. :raises Failed:
        corrupt, lying format, larger than the flavor's disk (``code`` image_corrupt, image_format, image_too_large).
        :raises Retry: no room (disk_full).
        :raises Stale: ``cancelled`` was set while it was fetched, by this call or by the one that this waited for,
        which goes on.
        """

    def cached_images(self, instance: Instance) -> dict[str, pathlib.Path]:
        """Return the files of ``instance.image``, its kernel and its RAM disk that are here, by id of the image.

        They are as they were fetched; an empty dict where there are no files.
        """

    def expire_images(self, older_than: float) -> list[str]:
        """Remove cached images that no guest uses and nobody used for ``older_than`` seconds; return their names."""


class HostInventory(Protocol):
    """What the host is."""

    def inventory(self) -> Inventory:
        """Return what this host has. Cheap enough to be called every minute."""

    def hosts(self) -> list[str]:
        """Return the names of the hosts that this driver acts as; one, but for the fake."""


class Driver(Lifecycle, Consoles, Images, HostInventory, Protocol):
    """A whole driver."""

    name: str
    power: Power
    moves: Moves

    def start(self, on_event: Callable[[GuestEvent], None]) -> None:
        """Connect and begin to deliver events. ``on_event`` is called in a worker thread and must not block long."""

    def stop(self) -> None:
        """Stop events and close the connection. Guests go on."""

    def storage(self) -> str | None:
        """Return the folder in which guests' disks are made, or None where there is none to watch."""

    def healthy(self) -> str | None:
        """Return None while the hypervisor answers, else the reason why not."""
