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
    driver.destroy(_shell(guest))


def _shell(guest: GuestInfo) -> Instance:
    """Return as much of a server as a driver needs to remove it."""
    flavor = Flavor(flavorid='', name='', vcpus=guest.vcpus, memory_mb=guest.memory_mb)
    number = int(guest.name.rpartition('-')[2], 16) if guest.name.startswith('instance-') else 0
    return Instance(id=number, uuid=guest.uuid, project_id='', user_id='', name=guest.name, flavor=flavor)
