"""Whether the host's side of a guest's network is there before the guest is started."""

from __future__ import annotations

import socket

from compute import exception
from compute.objects.nic import Nic
from compute.virt import hardware


def check_plugged(nics: tuple[Nic, ...]) -> None:
    """See that every port is bound, and that what somebody else makes is there.

    :raises Failed: ``port_binding_failed``. :raises Retry: ``vif_missing``: the tap or the bridge is not there (yet).
    """
    for nic in nics:
        hardware.check_bound(nic)
        device = _needed(nic)
        if device is not None and not _exists(device):
            raise exception.Retry(
                f'{device}, to which port {nic.port_id} of network {nic.network_name or nic.network_id} is plugged, '
                f'does not exist on this host', code='vif_missing', hint='see the log of the network agent of the host')


def _exists(device: str) -> bool:
    # Not by a look into /sys: in a container that may show the interfaces of another network namespace.
    try:
        socket.if_nametoindex(device)
    except OSError:
        return False
    return True


def _needed(nic: Nic) -> str | None:
    """Return the device that must exist. Open vSwitch's bridge need not be one that the kernel shows."""
    if nic.vif_type == 'tap':
        return nic.device
    return nic.vif_details.get('bridge_name') if nic.vif_type == 'bridge' else None
