"""What the contract of drivers is tested on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from compute.objects.image import Image
from compute.virt.driver import Driver, Guest, GuestEvent
from tests.contract.virt.making import Source, make_guest, make_image, make_part
from tests.waiting import wait_until


@dataclass
class Bed:
    """A started driver, the events it delivered, an image whose guest runs, and a way to kill a guest from outside."""

    driver: Driver
    events: list[GuestEvent]
    data: bytes
    kill: Callable[[str], object]
    made: list[Guest] = field(default_factory=list)

    def image(self, properties: dict[str, str] | None = None) -> Image:
        """Return a new image of the bed's data."""
        return make_image(self.data, properties=properties or {})

    def with_kernel(self) -> tuple[Guest, Source]:
        """Return a guest whose image names a kernel and a RAM disk, and where their data comes from."""
        parts = {name: (make_part(data, disk_format), data)
                 for name, disk_format, data in (('kernel', 'aki', b'MZ' + bytes(9000)),
                                                 ('ramdisk', 'ari', b'\x1f\x8b' + bytes(9000)))}
        image = make_image(self.data, 'ami', container_format='ami',
                           **{name: part for name, (part, _) in parts.items()})
        guest = make_guest(image)
        self.made.append(guest)
        return guest, Source(self.data, others={part.id: data for part, data in parts.values()})

    def guest(self, **values: object) -> Guest:
        """Return a guest whose image is prepared; it is destroyed when the bed is torn down."""
        guest = make_guest(self.image(), **values)
        self.made.append(guest)
        self.driver.prepare(guest.instance, Source(self.data))
        return guest

    def spawned(self, **values: object) -> Guest:
        """Return a running guest."""
        guest = self.guest(**values)
        self.driver.spawn(guest)
        return guest

    def stopped(self, **values: object) -> Guest:
        """Return a guest that ran and is off."""
        guest = self.spawned(**values)
        self.driver.power_off(guest.instance, 0)
        return guest

    def state(self, guest: Guest) -> int:
        """Return the power state."""
        return self.driver.guest_info(guest.instance.uuid).power_state

    def close(self) -> None:
        """Destroy what was made."""
        for guest in self.made:
            self.driver.destroy(guest.instance)
            self.driver.moves.drop_aside(guest.instance)


def wait_for(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Return once ``condition`` holds; fail when it does not in time."""
    wait_until(condition, 'what the test waits for', seconds)
