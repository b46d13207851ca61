"""The libvirt driver: parts put together, nothing else."""

from __future__ import annotations

import pathlib
import threading
from collections.abc import Callable

from oslo_config import cfg

from compute import exception
from compute.objects.host import Inventory
from compute.objects.instance import Instance
from compute.virt.driver import ConsoleAddress, Guest, GuestEvent, GuestInfo, ImageStream
from compute.virt.libvirt.capabilities import Capabilities
from compute.virt.libvirt.console import Consoles
from compute.virt.libvirt.disks import Disks
from compute.virt.libvirt.host import Host
from compute.virt.libvirt.images import ImageCache
from compute.virt.libvirt.inventory import inventory
from compute.virt.libvirt.lifecycle import Lifecycle
from compute.virt.libvirt.moves import LibvirtMoves
from compute.virt.libvirt.paths import Paths
from compute.virt.libvirt.power import LibvirtPower


class LibvirtDriver:
    """See ``compute.virt.driver`` for what each method promises."""

    name = 'libvirt'

    def __init__(self, conf: cfg.ConfigOpts, host: str) -> None:
        self._name = host
        self._host = Host(conf)
        self._paths = Paths(conf.libvirt.instances_path)
        self._capabilities = Capabilities(conf, self._host)
        self._images = ImageCache(conf, self._paths, host)
        disks = Disks(conf.libvirt.disk_cachemode, self._paths, self._images)
        self._lifecycle = Lifecycle(conf, self._host, self._capabilities, self._paths, disks)
        self._consoles = Consoles(self._host, self._paths)
        self.power = LibvirtPower(self._host, self._lifecycle)
        self.moves = LibvirtMoves(conf, self._host, self._paths, self._images, disks, self._lifecycle)

    def start(self, on_event: Callable[[GuestEvent], None]) -> None:
        """Make the folders, connect, deliver events. A libvirtd that is down is waited for in the background.

        :raises Failed: ``[libvirt] instances_path`` cannot be made.
        """
        try:
            self._paths.make()
            self._images.clean()
            self.moves.clean()
        except OSError as error:
            raise exception.Failed(f'[libvirt] instances_path cannot be used: {error}',
                                   code='instances_path') from error
        self._host.start(on_event)

    def stop(self) -> None:
        """Close the connection. Guests go on."""
        self._host.stop()

    def storage(self) -> str | None:
        """Return ``[libvirt] instances_path``."""
        return str(self._paths.root)

    def healthy(self) -> str | None:
        """Return why libvirtd does not answer, or None."""
        return self._host.healthy()

    def inventory(self) -> Inventory:
        """Return what the host has."""
        return inventory(self._host, self._capabilities, self._paths)

    def hosts(self) -> list[str]:
        """Return the one host that this is."""
        return [self._name]

    def spawn(self, guest: Guest) -> None:
        """Make disks and domain and start it."""
        self._lifecycle.spawn(guest)

    def destroy(self, instance: Instance) -> None:
        """Remove domain, disks and console log."""
        self._lifecycle.destroy(instance)

    def power_on(self, guest: Guest) -> None:
        """Define anew and start."""
        self._lifecycle.power_on(guest)

    def power_off(self, instance: Instance, timeout: float, cancelled: threading.Event | None = None) -> None:
        """ACPI shutdown, then cut power."""
        self._lifecycle.power_off(instance, timeout, cancelled)

    def reboot_soft(self, guest: Guest, timeout: float, cancelled: threading.Event | None = None) -> bool:
        """ACPI shutdown, then redefine and start."""
        return self._lifecycle.reboot_soft(guest, timeout, cancelled)

    def reboot_hard(self, guest: Guest) -> None:
        """Cut power, define anew, start."""
        self._lifecycle.reboot_hard(guest)

    def guest_info(self, uuid: str) -> GuestInfo:
        """Return one domain."""
        return self._lifecycle.info(uuid)

    def guests(self) -> list[GuestInfo]:
        """Return all domains."""
        return self._lifecycle.guests()

    def stored(self) -> list[str]:
        """Return the guests that have a folder."""
        return self._paths.stored()

    def console_output(self, instance: Instance, max_bytes: int) -> bytes:
        """Return the end of the serial log."""
        return self._consoles.output(instance, max_bytes)

    def vnc_address(self, instance: Instance) -> ConsoleAddress:
        """Return where VNC listens."""
        return self._consoles.vnc(instance)

    def prepare(self, instance: Instance, open_stream: ImageStream, cancelled: threading.Event | None = None) -> None:
        """Fetch, verify and inspect the image."""
        self._images.prepare(instance, open_stream, cancelled)

    def cached_images(self, instance: Instance) -> dict[str, pathlib.Path]:
        """Return what is in the cache."""
        return self._images.files_of(instance)

    def expire_images(self, older_than: float) -> list[str]:
        """Remove what nobody uses."""
        return self._images.expire(older_than)
