"""What lies on this host, told to who asks."""

from __future__ import annotations

from compute import context as ctx
from compute.objects.residue import FoundGuest, Residue
from compute.rpc.worker import Inspection
from compute.virt.driver import Driver


class InspectionEndpoint(Inspection):
    """Asks the driver. Guests of others are not the controller's business."""

    def __init__(self, host: str, driver: Driver) -> None:
        self._host, self._driver = host, driver

    def residue(self, context: ctx.RequestContext) -> Residue:
        # Files first: they are made before the guest and removed after it.
        stored, aside = tuple(self._driver.stored()), tuple(self._driver.moves.all_aside())
        return Residue(host=self._host, stored=stored, aside=aside, guests=tuple(
            FoundGuest(uuid=guest.uuid, name=guest.name, power_state=guest.power_state)
            for guest in self._driver.guests() if guest.ours))
