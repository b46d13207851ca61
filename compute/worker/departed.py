"""Removing guests whose servers, as the ledger says, are gone from this host: deleted, or built elsewhere, while nobody
here listened. A guest that the ledger does not know is never touched."""

from __future__ import annotations

import logging

from compute.objects.flavor import Flavor
from compute.objects.instance import Instance
from compute.virt.driver import Driver, GuestInfo

LOG = logging.getLogger(__name__)


def remove(driver: Driver, guest: GuestInfo) -> None:
    """Remove a guest."""
    LOG.warning('guest %s (%s) belongs to a server that is gone; it is removed', guest.name, guest.uuid)
    number = int(guest.name.rpartition('-')[2], 16) if guest.name.startswith('instance-') else 0
    driver.destroy(shell(guest.uuid, number, guest.name))


def shell(uuid: str, number: int = 0, name: str = '') -> Instance:
    """Return as much of a server as a driver needs to remove it."""
    flavor = Flavor(flavorid='', name='', vcpus=1, memory_mb=1)
    return Instance(id=number, uuid=uuid, project_id='', user_id='', name=name, flavor=flavor)
